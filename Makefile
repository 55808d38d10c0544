# make check   every test there is: what .ci/run calls
# make build   the static binary ./maildir-imapd
# make demo    serve a copy of the sample Maildir
# make bench   measure against Dovecot

.PHONY: check deps fmt vet staticcheck test e2e build demo bench

check:
	@.ci/steps deps fmt vet staticcheck test e2e build

# Debian packages that the tests use: clients, Postfix, Dovecot.
deps:
	@.ci/deps

fmt:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt -w $$files"; exit 1; fi

vet:
	CGO_ENABLED=0 GOOS=linux go vet ./...
	CGO_ENABLED=0 GOOS=freebsd go vet ./...
	CGO_ENABLED=0 GOOS=darwin go vet ./...

staticcheck:
	go tool staticcheck ./...

# The seeds of the fuzz targets run as part of it.
test:
	CGO_ENABLED=1 go test -race -timeout 20m $$(go list ./... | grep -v /internal/e2e)

# The server as a process, with Postfix, Dovecot and real mail clients.
e2e:
	CGO_ENABLED=1 go test -race -timeout 20m ./internal/e2e

build:
	CGO_ENABLED=0 go build -trimpath -o maildir-imapd ./cmd/maildir-imapd

# git keeps no empty directories and the server adds its own files, so that a
# copy is served, from a directory that is made anew each time.
demo:
	@rm -rf demo
	@cp -R testdata/sample demo
	@for d in demo/Maildir demo/Maildir/.??*; do mkdir -p "$$d/new" "$$d/tmp"; done
	go run ./cmd/maildir-imapd serve --maildir demo/Maildir --state demo/state

bench:
	go run ./internal/bench
