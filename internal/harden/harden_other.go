//go:build !unix

package harden

type limits struct{}

func harden(bool) (limits, error) { return limits{}, nil }

func (limits) inherit(start func() error) error { return start() }
