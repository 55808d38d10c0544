package auth

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/xdg-go/scram"
)

// TestScramAgainstAnotherImplementation verifies passwords that xdg-go/scram has prepared for storage.
func TestScramAgainstAnotherImplementation(t *testing.T) {
	for scheme, generate := range map[string]scram.HashGeneratorFcn{"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256} {
		client, err := generate.NewClient("alice", "secret", "")
		if err != nil {
			t.Fatal(err)
		}
		salt := "0123456789abcdef"
		c, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: 5000})
		if err != nil {
			t.Fatal(err)
		}
		b64 := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
		line := fmt.Sprintf("{%s}%d,%s,%s,%s", scheme, c.Iters, b64([]byte(salt)), b64(c.StoredKey), b64(c.ServerKey))
		s, err := parseStored(line)
		if err != nil {
			t.Fatal(err)
		}
		if !s.verify("alice", "secret") || s.verify("alice", "Secret") {
			t.Errorf("%s is verified wrongly", line)
		}
	}
}
