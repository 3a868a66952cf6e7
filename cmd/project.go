package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keywright/keywright/config"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// project is the repository that a command is run in, as far as it says which keys it
// needs.
type project struct {
	file         string // its .keywright.toml
	content      secret.Value
	environments []string
	needs        []keystore.Need // in all environments
}

// findProject looks for the project of the current directory; nil if there is none.
func findProject() (*project, error) {
	file, err := config.Find(".")
	if err != nil || file == "" {
		return nil, err
	}
	c, content, err := config.LoadWithContent(file)
	if err != nil || c.Project == nil {
		return nil, err
	}
	p := &project{file: file, content: secret.New(content), environments: c.Project.Environments}
	for _, env := range p.environments {
		if err := keystore.ValidEnv(env); err != nil {
			return nil, &config.Error{File: file, Problem: "[project]: " + err.Error(), Advice: `for example: environments = ["dev", "prod"]`}
		}
	}
	for _, k := range c.Project.Keys {
		for _, env := range k.Environments {
			n := keystore.Need{Name: keystore.Name{Env: env, Key: k.Name}, Variables: k.Variables, MaxAge: keystore.Days(k.MaxAge), Owner: k.Owner}
			if err := checkNeed(n); err != nil {
				return nil, &config.Error{File: file, Problem: fmt.Sprintf("[[project.key]] %s: %v", quote(k.Name), err), Advice: `for example: name = "DB", variables = { user = "PGUSER", password = "PGPASSWORD" }`}
			}
			p.needs = append(p.needs, n)
		}
	}
	return p, nil
}

func checkNeed(n keystore.Need) error {
	if _, err := keystore.ParseName(n.String()); err != nil {
		return err
	}
	for _, part := range n.Parts() {
		if err := keystore.ValidPart(part); err != nil {
			return err
		}
		if v := n.Variables[part]; !isVariable(v) || isOurs(v) {
			return fmt.Errorf("%s is not the name of a variable that a program gets", quote(v))
		}
	}
	return nil
}

// in are the needs in an environment.
func (p *project) in(env string) (list []keystore.Need) {
	for _, n := range p.needs {
		if n.Env == env {
			list = append(list, n)
		}
	}
	return list
}

// asks is what a file of a repository asks for, in words.
type asks struct {
	path    string // absolute, without symbolic links
	content secret.Value
	lines   []string
	names   []keystore.Name
}

func (p *project) asks() asks {
	a := asks{path: p.file, content: p.content}
	for _, n := range p.needs {
		line := n.String()
		for i, part := range n.Parts() {
			line += []string{": ", ", "}[min(i, 1)] + part + " in " + n.Variables[part]
		}
		a.lines, a.names = append(a.lines, line), append(a.names, n.Name)
	}
	return a
}

// asks is what a .env file asks for; nothing if it has no reference.
func (f *envFile) asks() (a asks, err error) {
	var others []string
	for _, v := range f.variables {
		ref, err := keystore.ParseReference(v.Value)
		if err != nil {
			others = append(others, v.Name)
			continue
		}
		a.lines, a.names = append(a.lines, ref.String()+" in "+v.Name), append(a.names, ref.Name)
	}
	if len(a.lines) == 0 {
		return asks{}, nil
	}
	if len(others) > 0 {
		a.lines = append(a.lines, "and it sets "+strings.Join(others, ", "))
	}
	a.content = f.content
	if a.path, err = filepath.Abs(f.path); err != nil {
		return a, fmt.Errorf("--env-file %s: %w", quote(f.path), err)
	}
	if real, err := filepath.EvalSymlinks(a.path); err == nil {
		a.path = real
	}
	return a, nil
}

// trust makes sure that the user has said yes to what a file asks for, once for each
// content. With --trust that is the answer.
func (k *keyring) trust(ctx context.Context, o runOptions, a asks) error {
	dir, err := keysDir()
	if err != nil {
		return err
	}
	trust := config.OpenTrust(dir)
	if known, err := trust.Has(a.path, a.content.Reveal()); err != nil || known {
		return err
	}
	if !o.trust {
		text := quote(a.path) + " asks for"
		for _, line := range a.lines {
			text += "\n  " + escaped(line)
		}
		yes, err := k.term.askYes(ctx, text+"\nHand that over, until the file changes?")
		if errors.Is(err, errNobody) {
			fmt.Fprintln(k.term.err, text)
			err = hintedError{fmt.Errorf("nobody has said yes to what %s asks for", quote(a.path)), "if it is right, say yes: " + o.trusting()}
		} else if err == nil && !yes {
			err = hintedError{errors.New("it was not wanted"), "nothing was started"}
		}
		if err != nil {
			names := slices.DeleteFunc(slices.Clone(a.names), func(n keystore.Name) bool { return n.Env != o.env })
			k.refuse(ctx, request{verb: "run", env: o.env, names: names}, "asked for by "+a.path)
			return err
		}
	}
	return trust.Add(ctx, a.path, a.content.Reveal())
}

// trusting is the command that says yes.
func (o runOptions) trusting() string {
	c := "keywright run --trust --env " + o.env
	for _, f := range o.envFiles {
		c += " --env-file " + f
	}
	return c + " -- PROGRAM"
}

// project is the project that a program is run in: which keys it gets. It is nil outside
// of one, and if all keys are wanted.
func (o runOptions) project() (*project, error) {
	if o.all {
		return nil, nil
	}
	p, err := findProject()
	if err != nil || p == nil {
		return nil, err
	}
	if !slices.Contains(p.environments, o.env) {
		return nil, usagef("it declares "+strings.Join(p.environments, ", ")+"; --all hands over all keys, whatever it declares", "the project of %s has no environment %s", quote(p.file), o.env)
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(p.in(o.env), func(n keystore.Need) bool { return n.Key == name }) {
			return nil, usagef("--all hands over keys that it does not declare", "--only: the project of %s does not declare %s in %s", quote(p.file), quote(name), o.env)
		}
	}
	return p, nil
}

// checkTrust makes sure that the user has said yes to each file that asks for keys.
func (k *keyring) checkTrust(ctx context.Context, o runOptions, p *project, files []*envFile) error {
	if p != nil && len(p.needs) > 0 {
		if err := k.trust(ctx, o, p.asks()); err != nil {
			return err
		}
	}
	for _, f := range files {
		a, err := f.asks()
		if err != nil {
			return err
		}
		if len(a.lines) == 0 {
			continue
		}
		if err := k.trust(ctx, o, a); err != nil {
			return err
		}
	}
	return nil
}

// lackError says that a program would not get what its project needs.
func lackError(lacks []keystore.Lack) error {
	var texts []string
	for _, l := range lacks {
		texts = append(texts, l.Name.String()+" "+l.Why)
	}
	return hintedError{fmt.Errorf("the project needs what is not stored: %s", strings.Join(texts, "; ")), "'keywright status --project " + lacks[0].Env + "' says how to store it"}
}

// howToStore is the command by which a need is met.
func howToStore(n keystore.Need) string {
	if p := n.Parts(); len(p) > 1 || len(p) == 1 && p[0] != keystore.SinglePart {
		return "keywright set " + n.String() + " --parts " + strings.Join(p, ",")
	}
	return "keywright set " + n.String()
}
