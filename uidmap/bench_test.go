package uidmap

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

const many = 100_000

func bigFolder(b *testing.B) (*account, []string) {
	var text strings.Builder
	fmt.Fprintf(&text, "3 V1795448403 N%d G%s\n", many+1, guid)
	bases := make([]string, many)
	for i := range bases {
		bases[i] = fmt.Sprintf("%d.M%dP28276.mail.example.org,S=%d,W=%d", 1700000000+i, i*7%1000000, 2000+i%500, 2050+i%500)
		fmt.Fprintf(&text, "%d :%s\n", i+1, bases[i])
	}
	a := newAccount(b)
	a.write(listFile, text.String())
	return a, bases
}

// BenchmarkOpenList opens a folder of 100,000 messages and reports how much memory it keeps.
func BenchmarkOpenList(b *testing.B) {
	a, _ := bigFolder(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := a.list()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(l)
	kept := float64(after.HeapAlloc-before.HeapAlloc) / many
	b.ReportAllocs()
	for b.Loop() {
		a.list()
	}
	b.ReportMetric(kept, "B/record")
}

func BenchmarkLookup(b *testing.B) {
	a, bases := bigFolder(b)
	l := a.list()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := l.Lookup(bases[i]); !ok {
			b.Fatal("missing")
		}
		if i++; i == many {
			i = 0
		}
	}
}

// BenchmarkDelivery is one new message in a folder of 100,000: lock, append, fdatasync, unlock.
func BenchmarkDelivery(b *testing.B) {
	a, _ := bigFolder(b)
	l := a.list()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		add(b, l, fmt.Sprint("new", i))
		i++
	}
}

// BenchmarkRefresh reads one line that another program appended to 100,000.
func BenchmarkRefresh(b *testing.B) {
	a, _ := bigFolder(b)
	l := a.list()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		a.appendTo(listFile, fmt.Sprintf("%d :new%d\n", many+i, i))
		if _, err := l.Refresh(); err != nil {
			b.Fatal(err)
		}
	}
	if l.Len() != many+i {
		b.Fatalf("%d records", l.Len())
	}
}

// BenchmarkUnchanged is what each poll costs.
func BenchmarkUnchanged(b *testing.B) {
	a, _ := bigFolder(b)
	l := a.list()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Refresh(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImport gives UIDs to 100,000 messages at once.
func BenchmarkImport(b *testing.B) {
	_, bases := bigFolder(b)
	for b.Loop() {
		add(b, newAccount(b).list(), bases...)
	}
}
