package main

import (
	"crypto/tls"
	"sync/atomic"

	"maildir-imapd/config"
)

// certificate is the server's certificate, which SIGHUP replaces. Safe for concurrent use.
type certificate struct {
	pair atomic.Pointer[tls.Certificate]
}

// loadPair reads the certificate and its key; nil where no listener needs them.
func loadPair(cfg *config.Config) (*tls.Certificate, error) {
	if !cfg.NeedsTLS() {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLS.Certificate, cfg.TLS.Key)
	if err != nil {
		return nil, cfg.Problem("tls.certificate", err.Error())
	}
	return &pair, nil
}

// config is a TLS configuration that asks for the certificate at each handshake.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // RFC 9051 §11.1
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.pair.Load(), nil
		},
	}
}
