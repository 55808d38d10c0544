package message

import (
	"bytes"
	"strings"
	"testing"
)

func TestBaseSubject(t *testing.T) {
	tests := []struct {
		subject, want string
		reply         bool
	}{
		{"", "", false},
		{"hello", "hello", false},
		{"  hello \t world  ", "hello world", false},
		{"Re: hello", "hello", true},
		{"RE : hello", "hello", true},
		{"re[2]: hello", "hello", true},
		{"Re [list] : hello", "hello", true},
		{"Fw: hello", "hello", true},
		{"fwd: hello", "hello", true},
		{"Re: Fwd: re: hello", "hello", true},
		{"[list] hello", "hello", false},
		{"[list] Re: hello", "hello", true},
		{"Re: [list] hello", "hello", true},
		{"[a] [b]Re: [c] hello (fwd)", "hello", true},
		{"[a][b]", "[b]", false},
		{"[a] [b] ", "[b]", false},
		{"Re: [a]", "[a]", true},
		{"[list]", "[list]", false},
		{"[[x] hello", "[[x] hello", false},
		{"[a [b] c] hello", "[a [b] c] hello", false},
		{"hello (fwd)", "hello", true},
		{"hello (FWD) (fwd)  ", "hello", true},
		{"hello (fwd) x", "hello (fwd) x", false},
		{"[fwd: hello]", "hello", true},
		{"[Fwd: [fwd: Re: hello (fwd)]]", "hello", true},
		{"[fwd: hello] (fwd)", "hello", true},
		{"[fwd: [list] hello]", "hello", true},
		{"[fwd: a] b", "b", false}, // a blob, not a forwarded message
		{"Re:", "", true},
		{"Re: ", "", true},
		{"(fwd)", "", true},
		{"[fwd:]", "", true},
		{"Research: hello", "Research: hello", false},
		{"re", "re", false},
		{"re hello: x", "re hello: x", false},
		{"Re [a][b]: x", "Re [a][b]: x", false}, // one blob only
		{"AW: hello", "AW: hello", false},       // RFC 5256 §7
		{"hello Re: x", "hello Re: x", false},
		{"[]", "[]", false},
		{"[] x", "x", false},
		{"a\r\n\tb", "a b", false},
	}
	for _, test := range tests {
		base, reply := AppendBaseSubject([]byte("+"), []byte(test.subject))
		if string(base) != "+"+test.want || reply != test.reply {
			t.Errorf("%q: got %q, %v, want %q, %v", test.subject, base[1:], reply, test.want, test.reply)
		}
	}
}

// A subject of a megabyte is looked at in one go: were it quadratic, this would take minutes.
func TestBaseSubjectLinear(t *testing.T) {
	for _, part := range []string{"[a]", "Re: ", "[a] Re:", "(fwd)", "[fwd:", "[", "]", " ", "re [", "re[a]", "[fwd: [a]"} {
		long := []byte(strings.Repeat(part, 1<<20/len(part)))
		AppendBaseSubject(nil, long)
		AppendBaseSubject(nil, append(long, bytes.Repeat([]byte("]"), len(long)/4)...))
	}
}

func FuzzBaseSubject(f *testing.F) {
	for _, seed := range []string{"Re: [list] hello (fwd)", "[fwd: [fwd: Re: x]]", "[a][b]", "re[2]: \xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, subject []byte) {
		base, reply := AppendBaseSubject(nil, subject)
		if len(base) > len(subject) || len(bytes.Trim(base, " ")) != len(base) {
			t.Fatalf("%q: got %q", subject, base)
		}
		again, reply2 := AppendBaseSubject(nil, base)
		if !bytes.Equal(again, base) || reply2 {
			t.Fatalf("%q: got %q, and of that %q", subject, base, again)
		}
		if !reply && !bytes.Contains(appendSpaced(nil, subject), base) {
			t.Fatalf("%q: %q is no part of it", subject, base)
		}
	})
}
