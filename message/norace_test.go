//go:build !race

package message

const slow = 1
