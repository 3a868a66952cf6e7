// Package config reads what a repository says about how it is scanned and which keys it
// needs: .keywright.toml, and the accepted findings in .keywrightignore. It remembers
// which of a repository's files the user has said yes to. Whatever is not
// understood is an error, never skipped: a setting with a typing error would look
// as if it held.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/scan"
)

// The names of the files, in the root of what is scanned.
const (
	FileName       = ".keywright.toml"
	IgnoreFileName = ".keywrightignore"
)

// Config is a .keywright.toml. The zero value is that of an empty file.
type Config struct {
	// RepositoryID is the salt of fingerprints; empty if there is none.
	RepositoryID string
	Scan         Scan
	// Rules are the repository's own, checked as far as that is possible without
	// compiling them.
	Rules []*scan.Rule
	// Project is what the repository's programs need; nil if it does not say.
	Project *Project

	name string // of the file, for errors
}

// Scan is the table [scan]. What is zero was not set: flags or defaults decide.
type Scan struct {
	Exclude    []string // valid patterns for NewGlobs
	Confidence scan.Confidence
	Rules      []string // patterns for SelectRules
	MaxMemory  int64    // bytes
}

// An Error is something in a configuration, or in what was asked on the command
// line, that cannot be meant. It implements the interfaces by which cmd finds the
// hint and the exit code.
type Error struct {
	File         string // empty if the error is in no file
	Line, Column int    // from 1, columns in bytes; zero if unknown
	Problem      string
	Advice       string // what to do about it; may be empty
}

func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Problem
	case e.Line == 0:
		return e.File + ": " + e.Problem
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// Hint says what to do about the error, or nothing.
func (e *Error) Hint() string { return e.Advice }

// Usage reports that this is an error in what was asked.
func (e *Error) Usage() bool { return true }

// Load reads the file with this path. A file that does not exist is an empty one.
func Load(path string) (*Config, error) {
	data, err := durable.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Config{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data)
}

// The form of the file, which docs/config.md describes.
type file struct {
	RepositoryID repositoryID `toml:"repository_id"`
	Scan         scanTable    `toml:"scan"`
	Rule         []ruleTable  `toml:"rule"`
	Project      *project     `toml:"project"`
}

type scanTable struct {
	Exclude    []pattern  `toml:"exclude"`
	Confidence confidence `toml:"confidence"`
	Rules      []selector `toml:"rules"`
	MaxMemory  size       `toml:"max_memory"`
}

// Parse reads the content of a file; name is for errors, which are of type *Error.
func Parse(name string, data []byte) (*Config, error) {
	var f file
	dec := toml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, decodeError(name, err)
	}
	c := &Config{
		RepositoryID: f.RepositoryID.text,
		Scan:         Scan{Confidence: f.Scan.Confidence.level, MaxMemory: f.Scan.MaxMemory.bytes},
		name:         name,
	}
	for _, p := range f.Scan.Exclude {
		c.Scan.Exclude = append(c.Scan.Exclude, p.text)
	}
	for _, s := range f.Scan.Rules {
		c.Scan.Rules = append(c.Scan.Rules, s.text)
	}
	for i, t := range f.Rule {
		r, err := t.rule(i + 1)
		if err != nil {
			err.File = name
			return nil, err
		}
		c.Rules = append(c.Rules, r)
	}
	var err *Error
	if c.Project, err = f.Project.project(); err != nil {
		err.File = name
		return nil, err
	}
	return c, nil
}

// decodeError makes one of our errors of the decoder's, with the first of the keys
// that it does not know.
func decodeError(name string, err error) error {
	out := &Error{File: name, Problem: err.Error()}
	var strict *toml.StrictMissingError
	var at *toml.DecodeError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		at = &strict.Errors[0]
		key := at.Key()
		out.Problem = fmt.Sprintf("unknown key %q", strings.Join(key, "."))
		out.Advice = knownKeys(key)
		if slices.ContainsFunc(key, isTheUsers) {
			out.Problem = fmt.Sprintf("%q is not for a repository to say", strings.Join(key, "."))
			out.Advice = "a repository may say which keys it needs; consumers, commands, addresses of providers and admin keys are its user's"
		}
	case errors.As(err, &at):
		// The decoder has no other way to say what a type of ours has to say.
		out.Problem = strings.TrimPrefix(strings.TrimPrefix(at.Error(), "toml: "), "error calling UnmarshalText: ")
	default:
		return out
	}
	out.Line, out.Column = at.Position()
	return out
}

// knownKeys names the keys of the table that a wrong key stands in.
func knownKeys(key []string) string {
	t := reflect.TypeFor[file]()
	for _, k := range key[:max(len(key)-1, 0)] {
		i := slices.Index(tags(t), k)
		if i < 0 {
			break
		}
		t = t.Field(i).Type
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return ""
		}
	}
	return "known there: " + strings.Join(tags(t), ", ")
}

func tags(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		out = append(out, t.Field(i).Tag.Get("toml"))
	}
	return out
}

// The types of values check themselves, because the decoder knows the position.
// They are structs because the decoder fills strings and numbers without asking.

type repositoryID struct{ text string }

func (r *repositoryID) UnmarshalText(text []byte) error {
	if len(text) == 0 || len(text) > 200 {
		return errors.New("repository_id must have 1 to 200 characters")
	}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return errors.New("repository_id must be printable ASCII without spaces")
		}
	}
	r.text = string(text)
	return nil
}

type confidence struct{ level scan.Confidence }

func (c *confidence) UnmarshalText(text []byte) (err error) {
	c.level, err = scan.ParseConfidence(string(text))
	return err
}

type size struct{ bytes int64 }

func (s *size) UnmarshalText(text []byte) (err error) {
	s.bytes, err = ParseSize(string(text))
	return err
}

type pattern struct{ text string }

func (p *pattern) UnmarshalText(text []byte) error {
	p.text = string(text)
	_, err := NewGlobs([]string{p.text})
	return err
}

type selector struct{ text string }

func (s *selector) UnmarshalText(text []byte) error {
	s.text = string(text)
	return checkSelector(s.text)
}
