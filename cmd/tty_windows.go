package cmd

// drop drops nothing: what follows a first line that was pasted goes to the shell here.
func (*tty) drop() bool { return false }

// mute does nothing: what is typed before it is asked for shows here.
func (*tty) mute() {}
