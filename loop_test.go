package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/provider/providertest/pgserver"
	"github.com/keywright/keywright/secret"
)

// TestLoop runs the scripts in testdata/loop: with a real keychain and a real server, from
// a leak to the proof that the key is dead. Beside the commands of TestScript there are
//
//	login ROLE PASSWORD      logs in to the server; may be negated
//	loginwith ROLE FILE      the same with the password in a file
func TestLoop(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for proofs")
	}
	dir, there := keystoretest.SecretService(t)
	if !there {
		return
	}
	pg := pgserver.Start(t)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	app := string(secret.Random(40, letters).Reveal())
	shop := string(secret.Random(40, letters).Reveal())
	pg.Exec(t, fmt.Sprintf("CREATE ROLE app NOLOGIN; CREATE ROLE app_a LOGIN PASSWORD '%s' IN ROLE app; CREATE ROLE app_b LOGIN IN ROLE app; CREATE ROLE shop LOGIN PASSWORD '%s'", app, shop))
	login := func(ts *testscript.TestScript, neg bool, role, password string) {
		if err := pg.Login(t, role, password); (err != nil) != neg {
			ts.Fatalf("log in as %s: %v", role, err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "loop"),
		Setup: func(env *testscript.Env) error {
			if err := isolate(env); err != nil {
				return err
			}
			for _, name := range []string{"DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"} {
				env.Setenv(name, os.Getenv(name))
			}
			env.Setenv("KEYWRIGHT_HOME", filepath.Join(dir, "loop")) // one keychain, one directory
			env.Setenv("PGHOST", pg.Host)
			env.Setenv("PGPORT", pg.Port)
			env.Setenv("APP", app)
			env.Setenv("SHOP", shop)
			for name, text := range map[string]string{
				"admin":          "user=" + pg.User + "\npassword=" + pg.Password + "\n",
				"key":            "user=app_a\npassword=" + app + "\n",
				"shop":           "user=shop\npassword=" + shop + "\n",
				"repo/notes.txt": "the password is " + app + " for now\n",
				"app/.env":       "DB_USER=app_a\nDB_PASSWORD=" + app + "\n",
				"shop.env":       "DB_PASSWORD=" + shop + "\n",
			} {
				path := filepath.Join(env.WorkDir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"login": func(ts *testscript.TestScript, neg bool, args []string) {
				login(ts, neg, args[0], args[1])
			},
			"loginwith": func(ts *testscript.TestScript, neg bool, args []string) {
				login(ts, neg, args[0], strings.TrimSpace(ts.ReadFile(args[1])))
			},
		},
	})
}
