package launch

import "context"

// Exec lets a command take keywright's place, where nothing has to be done while it
// runs or afterwards; then it does not return, deferred calls do not happen, and what
// keywright holds open (locks) is closed. The child keeps keywright's PID, terminal and
// parent, so every signal reaches it as if keywright had never been. Started is called
// before that, with keywright's own PID: the program that has it is the child then.
//
// With Mask, with FIFOs, with streams that are neither files nor nil, and on Windows,
// Exec is Run.
func Exec(ctx context.Context, c Command) (Result, error) {
	if !InPlace(c) {
		return Run(ctx, c)
	}
	return Result{}, replace(ctx, c)
}

// InPlace reports whether Exec lets a command take keywright's place.
func InPlace(c Command) bool { return replaceable(c) }
