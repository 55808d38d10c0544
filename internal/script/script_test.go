package script

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

func TestParseErrors(t *testing.T) {
	for name, data := range map[string]string{
		"no comment":         "login\n",
		"no steps":           "# x\n",
		"unknown step":       "# x\nfrobnicate INBOX\n",
		"unknown server":     "# x\nC[cyrus]: a1 NOOP\n",
		"mode of C":          "# x\nC?: a1 NOOP\n",
		"no colon":           "# x\nC a1 NOOP\n",
		"open braces":        "# x\nC: a1 {{literal\n",
		"unknown function":   "# x\nC: a1 {{figurative \"x\"}}\n",
		"missing argument":   "# x\nC: a1 {{repeat \"x\"}}\n",
		"bad regexp":         "# x\nS: {{/(/}}\n",
		"open quote":         "# x\nC: {{literal \"x}}\n",
		"too many arguments": "# x\nrename a b c\n",
		"function of write":  "# x\nwrite a figurative \"x\"\n",
		"repeat nothing":     "# x\ndeliver a repeat 2\n",
		"only without why":   "# x\nonly ours:\nlogin\n",
		"twice a section":    "# x\nlogin\n-- a --\n-- a --\n",
	} {
		if _, err := Parse("x", []byte(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestRun runs scripts against a server that says always the same, to see that
// the runner fails where it has to, and only there.
func TestRun(t *testing.T) {
	const (
		fetch = "* 1 FETCH (UID 7 BODY[] {5}\r\na\r\nb\n)\r\n* 2 EXISTS\r\na1 OK done\r\n"
		steps = "# x\nconnect\nC: a1 GO\n"
	)
	for _, tt := range []struct {
		name, script, says string
		want               string // in the error; "" for none
	}{
		{"all", steps + "S: * 1 FETCH (UID 7 BODY[] {{literal \"a\\r\\nb\\n\"}})\nS: * 2 EXISTS\nS: a1 OK ...\n", fetch, ""},
		{"any order", steps + "S: * 2 EXISTS\nS: * 1 FETCH ...\nS: a1 OK done\n", fetch, ""},
		{"wrong order", steps + "S!: * 2 EXISTS\nS!: * 1 FETCH ...\nS: a1 OK done\n", fetch, "x.txt:4: unexpected response"},
		{"right order", steps + "S!: * 1 FETCH ...\nS!: * 2 EXISTS\nS: a1 OK done\n", fetch, ""},
		{"too much", steps + "S: * 2 EXISTS\nS: a1 OK ...\n", fetch, "unexpected response"},
		{"too little", steps + "S: * 3 RECENT\nS: * 2 EXISTS\nS: * 1 FETCH ...\nS: a1 OK ...\n", fetch, "x.txt:4: this response did not come"},
		{"optional", steps + "S?: * 3 RECENT\nS*: * ...\nS: a1 OK ...\n", fetch, ""},
		{"optional once", steps + "S?: * {{/\\d/}} ...\nS: a1 OK ...\n", fetch, "unexpected response"},
		{"wanted before any", steps + "S*: * ...\nS: * 2 EXISTS\nS: a1 OK ...\n", fetch, ""},
		{"refused", steps + "S*: * ...\nS: a1 NO ...\n", fetch, "x.txt:5: unexpected response"},
		{"whole line", steps + "S: * 1 FETCH ...\nS: * 2 EXIST\nS: a1 OK ...\n", fetch, "unexpected response"},
		{"other server", steps + "S: * 1 FETCH ...\nS: * 2 EXISTS\nS[dovecot]: a1 NO ...\nS[ours]: a1 OK ...\n", fetch, ""},
		{"capture", steps + "S: * 1 FETCH (UID {{u=/\\d+/}} ...\nS*: * ...\nS: a1 OK ...\nC: a1 UID {{u}}\nS: * {{u}} UID\nS: a1 OK\n",
			fetch + "* 7 UID\r\na1 OK\r\n", ""},
		{"captured otherwise", steps + "S: * 1 FETCH (UID {{u=/\\d+/}} ...\nS*: * ...\nS: a1 OK ...\nC: a1 UID {{u}}\nS: * {{u}} UID\nS: a1 OK\n",
			fetch + "* 8 UID\r\na1 OK\r\n", "unexpected response"},
		{"bare LF", steps + "S: a1 OK\n", "a1 OK\n", "without CR"},
		{"string", steps + "S: * {{string \"q\\\"\"}} {{string \"q\\\"\"}}\nS: a1 OK\n", "* \"q\\\"\" {2}\r\nq\"\r\na1 OK\r\n", ""},
		{"8 bit", steps + "S: * {{literal \"\\xff\\x00\"}}\nS: a1 OK\n", "* {2}\r\n\xff\x00\r\na1 OK\r\n", ""},
		{"push", steps + "S: * 2 EXISTS\nC: a2\nS: a1 OK\n", "* 2 EXISTS\r\na1 OK\r\n", ""},
		{"end", steps + "S: * BYE ...\nS: EOF\n", "* BYE bye\r\n", ""},
		{"no end", steps + "S: EOF\n", "* BYE bye\r\n", "unexpected response"},
		{"end in a response", steps + "S: * 1 ...\nS: EOF\n", "* 1 FETCH {10}\r\nabc", "ends within"},
		{"do refused", "# x\nconnect\ndo GO\n", "do1 NO\r\n", "refused: NO"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := Parse("x", []byte(tt.script))
			if err != nil {
				t.Fatal(err)
			}
			transcript, err := s.Run(Account{Server: "ours", Addr: parrot(t, tt.says), Root: t.TempDir()})
			switch {
			case err == nil && tt.want != "":
				t.Errorf("no error, want %q\n%s", tt.want, transcript)
			case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q\n%s", err, tt.want, transcript)
			}
		})
	}
}

// parrot is a server that says greeting and says when the first line comes, reads on
// until its client is silent, and closes.
func parrot(t *testing.T, says string) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		io.WriteString(nc, "* OK hello\r\n")
		r := bufio.NewReader(nc)
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		io.WriteString(nc, says)
		nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, r)
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// A literal is announced and sent only when the server asks for it; after a
// refusal the rest of the line is left out.
func TestSendLiteral(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want string }{
		"asked for": {"* 1 EXISTS\r\n+ go\r\n", "a1 PUT {2}\r\n|hi {3}\r\n|you\r\n"},
		"refused":   {"a1 NO\r\n", "a1 PUT {2}\r\n|a2 NEXT\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			c := &conn{nc: client, br: bufio.NewReader(client), log: &transcript{}}
			var v values
			for _, line := range []string{`a1 PUT {{literal "hi"}} {{literal "you"}}`, "a2 NEXT"} {
				if line == "a2 NEXT" && name == "asked for" {
					break
				}
				pieces, err := v.expand(line)
				if err != nil {
					t.Fatal(err)
				}
				c.queue(line, pieces)
			}
			got := make(chan string)
			go func() {
				r := bufio.NewReader(server)
				var said []string
				for range strings.Count(tt.want, "|") + 1 {
					line, err := r.ReadString('\n')
					if err != nil {
						break
					}
					said = append(said, line)
					if strings.HasSuffix(line, "}\r\n") {
						io.WriteString(server, tt.answer)
					}
				}
				got <- strings.Join(said, "|")
			}()
			if err := c.flush(); err != nil {
				t.Fatal(err)
			}
			if s := <-got; s != tt.want {
				t.Errorf("sent %q, want %q", s, tt.want)
			}
		})
	}
}
