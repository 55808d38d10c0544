package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"maildir-imapd/config"
)

// ensureCertificate makes a self-signed certificate for this machine in dir, unless
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
	cert, key, err := selfSigned(time.Now())
	if err != nil {
		return files, err
	}
	// The key first: a crash between the two leaves a pair that does not match, and is made anew.
	if err := writeFile(files.Key, key, 0o600); err != nil {
		return files, err
	}
	return files, writeFile(files.Certificate, cert, 0o644)
}

// selfSigned makes a certificate for localhost that lasts ten years, and its key, in PEM.
func selfSigned(now time.Time) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "localhost", Organization: []string{"maildir-imapd"}},
		DNSNames:  []string{"localhost"},
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.AddDate(10, 0, 0),
		// It signs itself, and clients that are told to trust it look for that.
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		return nil, nil, err
	}
	kder, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kder}), nil
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
