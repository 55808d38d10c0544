package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"maildir-imapd/config"
	"maildir-imapd/internal/selfsigned"
)

// ensureCertificate makes a self-signed certificate for this machine in dir, for ten years, unless
// there is one that is valid for another day.
func ensureCertificate(dir string) (config.TLS, error) {
	files := config.TLS{
		Certificate: filepath.Join(dir, "tls.crt"),
		Key:         filepath.Join(dir, "tls.key"),
	}
	pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err == nil && time.Until(pair.Leaf.NotAfter) > 24*time.Hour {
		return files, nil
	}
	now := time.Now()
	cert, key, err := selfsigned.Make(now.Add(-time.Hour), now.AddDate(10, 0, 0))
	if err != nil {
		return files, err
	}
	// The key first: a crash between the two leaves a pair that does not match, and is made anew.
	if err := writeFile(files.Key, key, 0o600); err != nil {
		return files, err
	}
	return files, writeFile(files.Certificate, cert, 0o644)
}

// fingerprint is the SHA-256 of a certificate as mail clients show it.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// writeFile makes a file with all of data or none of it.
func writeFile(path string, data []byte, perm os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails where the rename succeeded
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
