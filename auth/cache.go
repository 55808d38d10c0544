package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// cache remembers which passwords were right, without knowing them: it holds a MAC
// of each with a key that lives as long as the process. A changed stored password
// makes another MAC.
type cache struct {
	ttl    time.Duration // 0: nothing is remembered
	secret []byte

	mu    sync.Mutex
	until map[cacheKey]time.Time
}

type cacheKey [sha256.Size]byte

// maxCached bounds the memory; more people than that don't log in within one ttl.
const maxCached = 10_000

func newCache(ttl time.Duration) *cache {
	return &cache{ttl: ttl, secret: randomBytes(32), until: make(map[cacheKey]time.Time)}
}

func (c *cache) key(user, hash, password string) (k cacheKey) {
	if c.ttl <= 0 {
		return k
	}
	m := hmac.New(sha256.New, c.secret)
	for _, s := range []string{user, hash, password} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		m.Write(size[:])
		m.Write([]byte(s))
	}
	m.Sum(k[:0])
	return k
}

func (c *cache) has(k cacheKey) bool {
	if c.ttl <= 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.until[k]
	if !ok {
		return false
	}
	if time.Now().After(until) {
		delete(c.until, k)
		return false
	}
	return true
}

func (c *cache) add(k cacheKey) {
	if c.ttl <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if len(c.until) >= maxCached {
		for k, until := range c.until {
			if now.After(until) {
				delete(c.until, k)
			}
		}
		if len(c.until) >= maxCached {
			clear(c.until)
		}
	}
	c.until[k] = now.Add(c.ttl)
}
