package keystore_test

import (
	"testing"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
)

func TestFile(t *testing.T) {
	keystoretest.Records(t, func(t *testing.T) func() keystore.Records {
		dir, items := t.TempDir(), keystoretest.NewMemory()
		return func() keystore.Records { return keystore.NewFile(durable.Disk{}, dir, items) }
	})
}
