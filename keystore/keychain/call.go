package keychain

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
)

// operation is one call of a method of Keychain: its deadline, and whether the user
// was told that it is waiting. It is used by one goroutine.
type operation struct {
	*Keychain
	ctx     context.Context
	cancel  context.CancelFunc
	begun   time.Time
	waiting *time.Timer
}

func (k *Keychain) begin(ctx context.Context) *operation {
	ctx, cancel := context.WithTimeout(ctx, k.options.Timeout)
	return &operation{k, ctx, cancel, time.Now(), time.NewTimer(waitingAfter)}
}

func (o *operation) end() {
	o.waiting.Stop()
	o.cancel()
}

func (o *operation) set(name, stored string) error {
	_, err := o.ask(false, func() (string, error) { return "", o.library.Set(service, name, stored) })
	return err
}

func (o *operation) get(name string) (string, error) {
	return o.ask(true, func() (string, error) { return o.library.Get(service, name) })
}

func (o *operation) drop(name string) error {
	_, err := o.ask(false, func() (string, error) { return "", o.library.Delete(service, name) })
	return err
}

// A watcher begins to watch a call from outside, for what the library does not tell.
// Lost gets an error if whoever was to answer goes away during the call. End ends the
// watching after the call has returned with an error or nil, and returns what was
// really the matter. An error of the watcher stands in the place of the call.
type watcher func(noPrompt bool, lost chan<- error) (end func(reading bool, err error) error, err error)

type answer struct {
	value string
	err   error
}

// ask calls the library in a goroutine of its own and waits for the answer, the loss
// of whoever was to give it, or the deadline. A call that is given up keeps the slot
// for as long as it goes on: no second prompt opens above one that is still there,
// and none takes the other's answer.
func (o *operation) ask(reading bool, call func() (string, error)) (string, error) {
	tokens := maxReads
	if reading && o.open.Load() {
		tokens = 1
	}
	if err := o.take(tokens); err != nil {
		return "", err
	}
	answers, lost := make(chan answer, 1), make(chan error, 1)
	go func() {
		defer o.give(tokens)
		value, err := guarded(func() (string, error) { return o.watched(reading, call, lost) })
		o.open.Store(err == nil || errors.Is(err, keystore.ErrNoItem))
		answers <- answer{value, err}
	}()
	for {
		select {
		case a := <-answers:
			return a.value, a.err
		case err := <-lost:
			return "", err
		case <-o.waiting.C:
			o.tell()
		case <-o.ctx.Done():
			return "", o.late("")
		}
	}
}

// take waits until no other call is going on, or, with a single token, none that keeps
// out this one.
func (o *operation) take(tokens int) error {
	if err := o.send(o.turn); err != nil {
		return err
	}
	defer func() { <-o.turn }()
	for taken := range tokens {
		if err := o.send(o.slot); err != nil {
			o.give(taken)
			return err
		}
	}
	return nil
}

func (o *operation) send(to chan<- struct{}) error {
	for o.ctx.Err() == nil {
		select {
		case to <- struct{}{}:
			return nil
		case <-o.waiting.C:
			o.tell()
		case <-o.ctx.Done():
		}
	}
	return o.late("an earlier call has not ended")
}

func (k *Keychain) give(tokens int) {
	for range tokens {
		<-k.slot
	}
}

func (o *operation) watched(reading bool, call func() (string, error), lost chan<- error) (string, error) {
	end, err := o.watch(o.options.NoPrompt, lost)
	if err != nil {
		return "", err
	}
	value, err := guarded(call)
	if errors.Is(err, keyring.ErrNotFound) {
		err = keystore.ErrNoItem
	}
	return value, end(reading, err)
}

// guarded makes a panic an error. Its text is the runtime's own; what else somebody
// panics with could hold anything.
func guarded(call func() (string, error)) (value string, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			value, err = "", fmt.Errorf("go-keyring panicked: %w", p)
		default:
			value, err = "", fmt.Errorf("go-keyring panicked with a %T", p)
		}
	}()
	return call()
}

// lock keeps out other changes of this store, by whatever process.
func (o *operation) lock() (unlock func() error, err error) {
	if err := o.options.Disk.MkdirAll(o.options.Dir, dirPerm); err != nil {
		return nil, fmt.Errorf("make the directory for sealed values: %w", err)
	}
	for o.ctx.Err() == nil {
		unlock, err := durable.TryLock(o.path(lockFile))
		if unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-time.After(lockRetry):
		case <-o.waiting.C:
			o.tell()
		case <-o.ctx.Done():
		}
	}
	return nil, o.late("another change has not ended")
}

func (o *operation) tell() {
	if o.options.Waiting != nil {
		o.options.Waiting()
	}
}

// late is the error when the operation's time is over.
func (o *operation) late(why string) error {
	if errors.Is(o.ctx.Err(), context.DeadlineExceeded) {
		return &fault{keystore.Silent, tooLate{time.Since(o.begun), why}}
	}
	return o.ctx.Err()
}

// tooLate is a context.DeadlineExceeded in words for users.
type tooLate struct {
	after time.Duration
	why   string
}

func (e tooLate) Error() string {
	text := fmt.Sprintf("given up after %v", e.after.Round(10*time.Millisecond))
	if e.why != "" {
		text += ", as " + e.why
	}
	return text
}

func (e tooLate) Is(target error) bool { return target == context.DeadlineExceeded }
