// Package config reads config.yaml: the settings with their defaults, what each
// may hold, and what is wrong with a file, in the words of the person who wrote
// it: file, line, setting, what was expected.
//
//	config.go    the settings and their defaults
//	decode.go    YAML nodes into settings, every problem with its line
//	units.go     sizes and durations
//	validate.go  values that are well-formed and still wrong
//	files.go     what the settings name: certificates, the user file, run_as
//	problem.go   problems, and the nearest known name
//
// Load collects all problems, not only the first. A Config is plain data: whoever
// loaded it may read it from any goroutine and nobody changes it.
package config
