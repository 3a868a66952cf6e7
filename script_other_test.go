//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func enrol(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("it needs a terminal of Linux") }

func code(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("it needs enrol") }
