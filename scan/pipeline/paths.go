package pipeline

import (
	"path"
	"strings"

	"github.com/keywright/keywright/scan"
)

// onPath is the confidence of a recognition at a path. A path says nothing
// against a proof, and little against the shape of a known token; a guess from a
// name and a value it can outweigh.
func onPath(r *recognition, p string) scan.Confidence {
	if r.proof == scan.Proved || !r.rule.Generic || p == "" {
		return r.confidence
	}
	if generated(p) || forTests(p) {
		return scan.Low
	}
	return r.confidence
}

// lockFiles are written by package managers: long hashes with names beside them.
var lockFiles = map[string]bool{
	"package-lock.json": true, "npm-shrinkwrap.json": true, "yarn.lock": true, "pnpm-lock.yaml": true, "bun.lock": true,
	"cargo.lock": true, "go.sum": true, "go.work.sum": true, "composer.lock": true, "gemfile.lock": true, "poetry.lock": true,
	"pipfile.lock": true, "uv.lock": true, "pdm.lock": true, "mix.lock": true, "podfile.lock": true, "packages.lock.json": true,
	"pubspec.lock": true, "flake.lock": true, "deno.lock": true, "gradle.lockfile": true, ".terraform.lock.hcl": true,
}

// generated reports whether a program wrote the file.
func generated(p string) bool {
	name := strings.ToLower(path.Base(p))
	if lockFiles[name] {
		return true
	}
	for _, suffix := range []string{".min.js", ".min.css", ".map", ".svg", ".pb.go", ".po", ".pot", ".snap"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// testWords name directories and files whose values are made up.
var testWords = map[string]bool{
	"test": true, "tests": true, "testing": true, "testdata": true, "spec": true, "specs": true, "fixture": true, "fixtures": true,
	"mock": true, "mocks": true, "example": true, "examples": true, "sample": true, "samples": true, "demo": true, "doc": true, "docs": true,
}

// forTests reports whether a path belongs to tests, examples or documentation.
func forTests(p string) bool {
	for _, element := range strings.Split(strings.ToLower(p), "/") {
		for _, word := range strings.FieldsFunc(element, func(r rune) bool { return r < 'a' || r > 'z' }) {
			if testWords[word] {
				return true
			}
		}
	}
	return false
}
