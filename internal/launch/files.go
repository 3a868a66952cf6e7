package launch

import "github.com/keywright/keywright/secret"

// A deliverer makes files of secrets, by name. When it fails, nothing is left over.
type deliverer func(map[string]secret.Value) (delivery, error)

// delivery is what a child needs to read its files.
type delivery struct {
	paths   map[string]string // by name, as the child sees them
	onStart []func()          // once the child has started, or could not be
	onEnd   []func() error    // when it has ended
}

// started is called once the child has its descriptors, or will never have them.
func (d *delivery) started() {
	for _, f := range d.onStart {
		f()
	}
	d.onStart = nil
}

// end takes the files away.
func (d *delivery) end() error {
	d.started()
	var first error
	for _, f := range d.onEnd {
		if err := f(); first == nil {
			first = err
		}
	}
	d.onEnd = nil
	return first
}
