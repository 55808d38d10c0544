package uidmap

// failpoint is called between any two steps that change the disk. It is nil but in
// tests, which look at what a process killed at this point would leave behind.
var failpoint func(name string)

func reached(name string) {
	if failpoint != nil {
		failpoint(name)
	}
}
