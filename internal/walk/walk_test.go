package walk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/imapd"
	"maildir-imapd/watcher"

	"go.uber.org/goleak"
)

var (
	walkSeed = flag.Uint64("walk.seed", 0, "seed of TestWalk; 0: others each time")
	walkFor  = flag.Duration("walk.for", time.Minute, "how long TestWalk walks")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// walkSteps is the length of one walk.
const walkSteps = 150

// step is one thing that happens; what exactly it does depends on n and on the state of things.
type step struct {
	name string
	who  int // client
	n    uint64
}

func (s step) String() string { return fmt.Sprintf("%s %d %d", s.name, s.who, s.n) }

// TestWalk walks for some time, from other seeds each time.
func TestWalk(t *testing.T) {
	seed := *walkSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for end := time.Now().Add(*walkFor); ; seed++ {
		steps := plan(seed)
		if err := walk(t, steps); err != nil {
			steps, err = shrink(t, steps, err)
			t.Fatalf("-walk.seed=%d\nsteps: %q\n%v", seed, steps, err)
		}
		if *walkSeed != 0 || !time.Now().Before(end) {
			return
		}
	}
}

// plan decides what happens.
func plan(seed uint64) (steps []step) {
	r := rand.New(rand.NewPCG(seed, 1))
	names := []string{
		"deliver", "deliver", "rename", "rename", "unlink", "store", "store", "store", "silent", "uidstore", "unchanged", "seen", "expunge", "uidexpunge", "move", "copy",
		"append", "fetch", "search", "noop", "noop", "idle", "drop", "abandon", "connect", "sync", "sync", "sync",
	}
	for range walkSteps {
		name := names[r.IntN(len(names))]
		switch r.IntN(60) {
		case 0:
			name = "restart"
		case 1:
			name = "kill"
		case 2:
			name = "forget"
		}
		steps = append(steps, step{name, r.IntN(6), r.Uint64()})
	}
	return append(steps, step{name: "sync"})
}

// shrink leaves steps out for as long as the walk fails without them.
func shrink(t *testing.T, steps []step, err error) ([]step, error) {
	end := time.Now().Add(20 * time.Second)
	for size := len(steps) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(steps) && time.Now().Before(end); {
			less := slices.Delete(slices.Clone(steps), i, i+size)
			if err2 := walk(t, less); err2 != nil {
				steps, err = less, err2
			} else {
				i += size
			}
		}
	}
	return steps, err
}

// world is one walk.
type world struct {
	t       *testing.T
	root    string // the Maildir
	lives   int    // servers so far
	mails   int
	addr    string
	stop    func()
	clients []*client
}

// walk does the steps and returns what went wrong.
func walk(t *testing.T, steps []step) (err error) {
	w := &world{t: t, root: filepath.Join(t.TempDir(), "0")}
	for _, dir := range []string{"cur", "new", "tmp", ".Other/cur", ".Other/new", ".Other/tmp"} {
		w.must(os.MkdirAll(filepath.Join(w.root, dir), 0o700))
	}
	w.clients = []*client{{name: "a", qresync: true}, {name: "b", qresync: true}, {name: "c"}, {name: "d", qresync: true, notify: notifySelected},
		{name: "e", qresync: true, notify: notifyDelayed}, {name: "f", qresync: true, notify: notifyNoFlags}}
	w.start()
	at := step{}
	defer func() {
		for _, c := range w.clients {
			c.drop()
		}
		w.stop()
		if p := recover(); p != nil {
			c, ok := p.(complaint)
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("%v: %s", at, c)
		}
		w.must(os.RemoveAll(filepath.Dir(w.root)))
	}()
	for _, at = range steps {
		w.do(at)
	}
	return nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// mustBut is must for a file that the server may just have renamed.
func (w *world) mustBut(err error) {
	w.t.Helper()
	if !errors.Is(err, os.ErrNotExist) {
		w.must(err)
	}
}

// start starts a server on the Maildir.
func (w *world) start() {
	log := slog.New(slog.DiscardHandler)
	watch := watcher.New(watcher.Options{Log: log})
	b := backend.New(backend.Options{Log: log, Watcher: watch})
	db := auth.Single(auth.User{Name: "u", UID: -1, GID: -1}, "p")
	location := backend.Location{Root: w.root, Separator: '.'}
	srv := imapd.New(imapd.Config{
		Log: log, Authenticate: db.Verify,
		Open: func(ctx context.Context, u *auth.User) (*backend.User, error) {
			return b.Open(ctx, u.Name, location, false)
		},
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	w.addr = ln.Addr().String()
	w.stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		w.must(srv.Shutdown(ctx))
		if err := <-served; !errors.Is(err, imapd.ErrServerClosed) {
			w.t.Error(err)
		}
		w.must(errors.Join(b.Close(), watch.Close()))
	}
}

// do does one step.
func (w *world) do(s step) {
	c := w.clients[s.who]
	pick := int(s.n >> 8)
	switch s.name {
	case "deliver":
		w.deliver("new/"+w.newName(), pick)
	case "rename":
		w.rename(pick)
	case "unlink":
		if name, ok := w.file(pick); ok && pick%3 == 0 {
			w.mustBut(os.Remove(filepath.Join(w.root, name)))
		}
	case "drop":
		c.drop()
	case "forget":
		c.drop()
		*c = client{name: c.name, qresync: c.qresync, notify: c.notify}
	case "connect":
		w.client(s.who)
	case "sync":
		w.sync()
	case "restart":
		for _, c := range w.clients {
			c.drop()
		}
		w.stop()
		w.start()
	case "kill":
		w.kill()
	default:
		if command, ok := w.command(s, w.client(s.who), pick); ok {
			if s.name == "idle" {
				c.idle()
			} else {
				c.do(command)
			}
		}
	}
}

// client returns a client that is connected.
func (w *world) client(i int) *client {
	c := w.clients[i]
	if c.conn == nil {
		c.connect(w.addr)
	}
	return c
}

var flagSets = []string{`\Seen`, `\Flagged`, `\Seen \Answered`, `\Deleted`, `\Draft k1`, `k1 k2`, `\Deleted \Flagged`}

// command is what a client says.
func (w *world) command(s step, c *client, pick int) (string, bool) {
	if abs := pick % 7; s.name == "abandon" && len(c.uids) > 0 && c.notify == "" { // the answer is lost
		c.send(fmt.Sprintf("STORE 1 %sFLAGS.SILENT (%s)", []string{"+", "-", ""}[abs%3], flagSets[abs]))
		c.drop()
		return "", false
	}
	if s.name == "abandon" && (c.notify == notifyDelayed || c.notify == notifyNoFlags) { // some changes wait, while later ones were told
		c.do("SEARCH SEEN")
		c.drop()
		return "", false
	}
	op := []string{"+", "-", ""}[pick%3]
	flags := flagSets[pick/3%len(flagSets)]
	n := len(c.uids)
	seq, uid := "", ""
	if n > 0 {
		i := pick / 21 % n
		k := min(n-1, i+pick/1000%3)
		seq, uid = fmt.Sprintf("%d:%d", i+1, k+1), fmt.Sprintf("%d:%d", max(c.uids[i], 1), max(c.uids[k], 1))
	}
	if c.notify == notifySelected || c.notify == notifyNoFlags { // EXPUNGE may come at any time: numbers are of no use (RFC 5465 §5.3)
		switch s.name {
		case "store", "silent":
			s.name = "uidstore"
		case "seen", "fetch", "abandon":
			return "", false
		}
	}
	switch s.name {
	case "append":
		return "APPEND INBOX (" + flags + ") {14+}\r\n" + subject(pick) + "\r\n", true
	case "noop":
		return "NOOP", true
	case "idle":
		return "", true
	case "search":
		return "SEARCH SEEN", true
	case "expunge":
		return "EXPUNGE", true
	}
	if n == 0 {
		return "", false
	}
	switch s.name {
	case "store":
		return "STORE " + seq + " " + op + "FLAGS (" + flags + ")", true
	case "silent":
		if !c.qresync { // it would have to work the flags out by itself
			return "", false
		}
		return "STORE " + seq + " FLAGS (" + flags + ")", true
	case "uidstore":
		return "UID STORE " + uid + " " + op + "FLAGS (" + flags + ")", true
	case "unchanged":
		if c.qresync {
			return fmt.Sprintf("UID STORE %s (UNCHANGEDSINCE %d) %sFLAGS (%s)", uid, max(c.highest, 1), op, flags), true
		}
	case "seen":
		return "FETCH " + seq + " (RFC822.SIZE)", true
	case "fetch":
		return "FETCH 1:* (UID FLAGS)", true
	case "uidexpunge":
		return "UID EXPUNGE " + uid, true
	case "move":
		if pick%4 == 0 {
			return "UID MOVE " + uid + " Other", true
		}
	case "copy":
		return "UID COPY " + uid + " INBOX", true
	}
	return "", false
}

// idle takes what has come before IDLE.
func (c *client) idle() {
	tag := c.send("IDLE")
	c.code, c.most = 0, 0
	for {
		line := c.line()
		c.take(line)
		switch {
		case strings.HasPrefix(line, "+"):
			fmt.Fprint(c.conn, "DONE\r\n")
		case strings.HasPrefix(line, tag+" "):
			if c.code > 0 {
				c.highest = c.code
			} else {
				c.highest = max(c.highest, c.most)
			}
			return
		}
	}
}

func (w *world) newName() string {
	w.mails++
	return fmt.Sprintf("%d.M%dP1.h", 1700000000+w.mails, w.mails)
}

// subject is the header of a message.
func subject(pick int) string { return "Subject: " + string(rune('a'+pick%7)) + "\r\n" }

func (w *world) deliver(name string, pick int) {
	if pick%5 == 0 {
		name = "cur/" + filepath.Base(name) + ":2,S"
	}
	tmp := filepath.Join(w.root, "tmp", filepath.Base(name))
	w.must(os.WriteFile(tmp, []byte(subject(pick)+"\n"), 0o600))
	w.must(os.Rename(tmp, filepath.Join(w.root, name)))
}

// file picks a message.
func (w *world) file(pick int) (string, bool) {
	var names []string
	for _, dir := range []string{"new", "cur"} {
		list, err := os.ReadDir(filepath.Join(w.root, dir))
		w.must(err)
		for _, e := range list {
			names = append(names, dir+"/"+e.Name())
		}
	}
	if len(names) == 0 {
		return "", false
	}
	slices.Sort(names)
	return names[pick%len(names)], true
}

// rename changes the flags of a message as another program does.
func (w *world) rename(pick int) {
	name, ok := w.file(pick)
	if !ok {
		return
	}
	base, _, _ := strings.Cut(filepath.Base(name), ":")
	to := "cur/" + base + ":2," + []string{"", "S", "FS", "RS", "T", "DFS", "FT"}[pick/7%7]
	w.mustBut(os.Rename(filepath.Join(w.root, name), filepath.Join(w.root, to)))
}

// kill goes on with a copy of the files, as they are while the server still runs.
func (w *world) kill() {
	for _, c := range w.clients {
		c.drop()
	}
	old := w.root
	w.lives++
	next := filepath.Join(filepath.Dir(old), strconv.Itoa(w.lives))
	for {
		err := os.CopyFS(next, os.DirFS(old))
		if !errors.Is(err, os.ErrNotExist) { // the server has just renamed something
			w.must(err)
			break
		}
		w.must(os.RemoveAll(next))
	}
	// Unlike a kill, the copying takes its time: the letter of a keyword may have come into a name after the
	// folder was listed, and the file of its name with it. Names of keywords only grow.
	for _, folder := range []string{".", ".Other"} {
		name := filepath.Join(folder, "dovecot-keywords")
		if names, err := os.ReadFile(filepath.Join(old, name)); !errors.Is(err, os.ErrNotExist) {
			w.must(err)
			w.must(os.WriteFile(filepath.Join(next, name), names, 0o600))
		}
	}
	w.stop()
	w.root = next
	w.start()
}

// sync lets all clients synchronise, and compares.
func (w *world) sync() {
	for i := range w.clients {
		w.client(i).sync()
	}
	// What another program did within one tick of the clock the watcher tells, a little later.
	for _, c := range w.clients {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			want, got := w.truth(), c.picture()
			if slices.Equal(want, got) {
				c.checkResult()
				break
			}
			if time.Now().After(end) {
				c.fail("picture\n%q\nand in truth\n%q", got, want)
			}
			c.sync()
		}
	}
}

// truth is what is in the Maildir, read without our own code.
func (w *world) truth() (out []string) {
	uids := make(map[string]int)
	for line := range strings.Lines(w.read("dovecot-uidlist")) {
		head, base, ok := strings.Cut(strings.TrimSpace(line), " :")
		if ok {
			uid, _, _ := strings.Cut(head, " ")
			uids[base], _ = strconv.Atoi(uid)
		}
	}
	keywords := make(map[byte]string)
	for line := range strings.Lines(w.read("dovecot-keywords")) {
		i, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.Atoi(i)
		keywords[byte('a'+n)] = name
	}
	type mail struct {
		uid  int
		text string
	}
	var mails []mail
	for _, dir := range []string{"new", "cur"} {
		list, err := os.ReadDir(filepath.Join(w.root, dir))
		w.must(err)
		for _, e := range list {
			base, info, _ := strings.Cut(e.Name(), ":2,")
			var flags []string
			for i := range len(info) {
				name := map[byte]string{'S': `\Seen`, 'R': `\Answered`, 'F': `\Flagged`, 'T': `\Deleted`, 'D': `\Draft`}[info[i]]
				if name == "" {
					name = keywords[info[i]]
				}
				flags = append(flags, name)
			}
			slices.Sort(flags)
			mails = append(mails, mail{uids[base], fmt.Sprintf("%d (%s)", uids[base], strings.Join(flags, " "))})
		}
	}
	slices.SortFunc(mails, func(a, b mail) int { return a.uid - b.uid })
	for _, m := range mails {
		out = append(out, m.text)
	}
	return out
}

func (w *world) read(name string) string {
	b, err := os.ReadFile(filepath.Join(w.root, name))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	w.must(err)
	return string(b)
}
