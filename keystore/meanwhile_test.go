package keystore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// Whoever reads all keys while others replace and remove them finds nothing lost.
func TestMeanwhile(t *testing.T) {
	name := keystore.Name{Env: "prod", Key: "A"}
	put := func(ctx context.Context, s *keystore.Store, value string) error {
		_, err := s.Put(ctx, "t", name, keystore.Parts{keystore.SinglePart: secret.New([]byte(value))}, nil)
		return err
	}
	for what, change := range map[string]func(ctx context.Context, s *keystore.Store) error{
		"replaced": func(ctx context.Context, s *keystore.Store) error {
			for i := range 3 {
				if err := put(ctx, s, fmt.Sprint("new ", i)); err != nil {
					return err
				}
			}
			return nil
		},
		"removed": func(ctx context.Context, s *keystore.Store) error { return s.Remove(ctx, "tester", name) },
	} {
		for reader, read := range map[string]func(s *keystore.Store) error{
			"each": func(s *keystore.Store) error {
				return s.Each(t.Context(), func(k keystore.Key, versions map[int]keystore.Parts) error {
					if len(versions) != len(k.Versions) {
						return fmt.Errorf("%d versions of %d", len(versions), len(k.Versions))
					}
					return nil
				})
			},
			"check": func(s *keystore.Store) error {
				c, err := s.Check(t.Context())
				if err == nil && len(c.Ailments) > 0 {
					err = fmt.Errorf("%v", c.Ailments)
				}
				return err
			},
		} {
			m := keystoretest.NewMemory()
			s := keystore.Open(t.TempDir(), m)
			for _, value := range []string{"1", "2"} {
				if err := put(t.Context(), s, value); err != nil {
					t.Fatal(err)
				}
			}
			done := false
			m.SetHook(func(ctx context.Context, at keystoretest.Moment) error {
				if done || at.Op != keystoretest.Get || !strings.HasPrefix(at.Name, "key-") {
					return nil
				}
				done = true
				return change(ctx, s)
			})
			if err := read(s); err != nil || !done {
				t.Errorf("%s, %s: %v", what, reader, err)
			}
		}
	}
}
