package cmd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/keywright/keywright/keystore"
)

// TestKillRotation kills a rotation at each write, one after the other: of the metadata,
// the items, the log and the files that get the new secret. Then it is resumed, or taken
// back: the store and every file hold the same secret, and nothing is left open.
func TestKillRotation(t *testing.T) {
	inVerb(t)
	for _, b := range realBackends {
		t.Run(b.name, func(t *testing.T) {
			if dir, there := b.use(t); there {
				killRotation(t, dir)
			}
		})
	}
}

func killRotation(t *testing.T, dir string) {
	const first = "0123456789abcdef0123456789abcdef"
	env, config := filepath.Join(dir, "app.env"), filepath.Join(dir, "app.json")
	for path, text := range map[string]string{env: "# mine\nKEY=" + first + "\n", config: `{"auth": {"key": "` + first + `"}, "x": 1}` + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verb := func(stdin string, args ...string) change {
		return change{verb: verb{args: args, stdin: stdin}}
	}
	must := func(c change) {
		t.Helper()
		if out, err := process("TestKillRotation", 0, c).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.args, err, out)
		}
	}
	must(verb(first, "set", "dev/KEY", "--provider", "local", "--consumer", "env:"+env+",KEY", "--consumer", "json:"+config+",value=auth.key"))
	keys := openReal(t)
	counted, err := process("TestKillRotation", -1, verb("", "rotate", "dev/KEY")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, counted)
	}
	step := 1
	if !allCrashes() {
		step = 29
	}
	kills, back := 0, 0
	for at := 1 + rand.IntN(step); ; at += step {
		out, err := process("TestKillRotation", at, verb("", "rotate", "dev/KEY")).CombinedOutput()
		killed := wasKilled(err)
		if !killed && err != nil {
			t.Fatalf("rotate: %v\n%s", err, out)
		}
		if killed {
			kills++
			after := "resume"
			if kills%2 == 0 {
				after = "abort"
				back++
			}
			must(verb("", "rotate", after))
		}
		err = sameEverywhere(t, keys, env, config)
		if err == nil {
			err = content(t, keys)
		}
		if err != nil {
			t.Fatalf("killed at write %d: %v", at, err)
		}
		if !killed {
			break
		}
	}
	t.Logf("killed at %d of %d writes, taken back %d times", kills, writesOf(t, string(counted)), back)
	if kills < 2 {
		t.Error("the test does not test it")
	}
}

// sameEverywhere reports whether the store and the files hold the same secret, and no
// rotation is open.
func sameEverywhere(t *testing.T, keys *keyring, env, config string) error {
	parts, key, err := keys.Get(t.Context(), keystore.Name{Env: "dev", Key: "KEY"}, keystore.Current)
	if err != nil {
		return err
	}
	now := string(parts[keystore.SinglePart].Reveal())
	for path, shape := range map[string]string{env: `^# mine\nKEY=([0-9a-f]{32})\n$`, config: `^\{"auth": \{"key": "([0-9a-f]{32})"\}, "x": 1\}\n$`} {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m := regexp.MustCompile(shape).FindSubmatch(text)
		if m == nil || string(m[1]) != now {
			return fmt.Errorf("%s does not hold the current version", path)
		}
	}
	if key.Rotation != "" || len(key.Versions) > 2 {
		return fmt.Errorf("rotation %q is open, with %d versions", key.Rotation, len(key.Versions))
	}
	return nil
}
