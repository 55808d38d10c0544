// Package walk is a random walk of several clients and another program over one mailbox. A
// client's picture of the mailbox is made of nothing but what it was told; whenever it has synchronised, that picture must be
// what is on disk, and the result of its search that is kept up to date what a new search finds. Clients lose their connection and come back with QRESYNC, the server is stopped, or
// killed (its files are copied at some instant, and another server goes on with the copy).
//
//	go test ./internal/walk -walk.for=10m
//	go test ./internal/walk -walk.seed=1234
//
// A walk that fails is walked again with steps left out, as long as it still fails: what is left is shown.
package walk
