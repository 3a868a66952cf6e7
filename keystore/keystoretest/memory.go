package keystoretest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// Op is a method of keystore.Items.
type Op string

// The methods.
const (
	Put    Op = "store"
	Get    Op = "read"
	Delete Op = "delete"
)

// Moment is before or after a method of a Memory does what it does.
type Moment struct {
	N     int // counts the moments of a Memory from 1
	Op    Op
	Name  string
	After bool
}

// Hook is asked at each moment. An error is what the method returns: without having
// done anything before, in spite of having done it after. A hook may block, and should
// end with ctx. It may use the Memory, whose hook is not asked then about that.
type Hook func(ctx context.Context, m Moment) error

// Memory is a keystore.Items without a disk or an operating system, for tests.
type Memory struct {
	mu    sync.Mutex
	items map[string]secret.Value
	hook  Hook
	n     int
}

// NewMemory returns a Memory without items or a hook.
func NewMemory() *Memory { return &Memory{items: map[string]secret.Value{}} }

// SetHook sets what is asked from now on; nil for nothing. Moments are counted anew.
func (m *Memory) SetHook(h Hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook, m.n = h, 0
}

// FailAt makes the nth moment from now fail with err, and no other. To see what a
// caller does with a fault at every call, try it with n = 1, 2, … until Moments is
// less than n.
func (m *Memory) FailAt(n int, err error) {
	m.SetHook(func(_ context.Context, at Moment) error {
		if at.N == n {
			return err
		}
		return nil
	})
}

// Moments is how many there were since the hook was set.
func (m *Memory) Moments() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}

// Names lists what there is, sorted.
func (m *Memory) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.items))
}

// Put implements keystore.Items.
func (m *Memory) Put(ctx context.Context, name string, value secret.Value) error {
	return m.do(ctx, Put, name, value, func() error {
		m.items[name] = secret.New(value.Reveal())
		return nil
	})
}

// Get implements keystore.Items.
func (m *Memory) Get(ctx context.Context, name string) (got secret.Value, err error) {
	err = m.do(ctx, Get, name, secret.Value{}, func() error {
		v, ok := m.items[name]
		if !ok {
			return keystore.ErrNoItem
		}
		got = secret.New(v.Reveal())
		return nil
	})
	if err != nil {
		return secret.Value{}, err
	}
	return got, nil
}

// Delete implements keystore.Items.
func (m *Memory) Delete(ctx context.Context, name string) error {
	return m.do(ctx, Delete, name, secret.Value{}, func() error {
		delete(m.items, name)
		return nil
	})
}

// do runs one method between its two moments. A result that came too late for ctx is
// none.
func (m *Memory) do(ctx context.Context, op Op, name string, value secret.Value, act func() error) error {
	if err := keystore.ValidItem(name, value); err != nil {
		return wrap(op, name, err)
	}
	if err := m.ask(ctx, op, name, false); err != nil {
		return wrap(op, name, err)
	}
	if err := m.locked(act); err != nil {
		return wrap(op, name, err)
	}
	return wrap(op, name, m.ask(ctx, op, name, true))
}

func (m *Memory) locked(act func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return act()
}

// inHook marks what a hook does itself.
type inHook struct{}

func (m *Memory) ask(ctx context.Context, op Op, name string, after bool) error {
	if ctx.Value(inHook{}) != nil {
		return ctx.Err()
	}
	m.mu.Lock()
	m.n++
	hook, at := m.hook, Moment{m.n, op, name, after}
	m.mu.Unlock()
	if hook != nil {
		if err := hook(context.WithValue(ctx, inHook{}, true), at); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wrap makes an error one that Items may return.
func wrap(op Op, name string, err error) error {
	doing := fmt.Sprintf("%s item %s", op, name)
	trouble, known := keystore.TroubleOf(err)
	switch {
	case err == nil, known:
		return err
	case errors.Is(err, keystore.ErrNoItem):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, keystore.ErrTooLarge):
		trouble = keystore.Full
	case errors.Is(err, context.DeadlineExceeded):
		trouble = keystore.Silent
	}
	if keystore.ValidItem(name, secret.Value{}) != nil {
		doing = fmt.Sprintf("%s item %.*q", op, keystore.MaxItemName, name)
	}
	return &keystore.BackendError{Backend: "the memory", Doing: doing, Trouble: trouble, Err: err}
}
