package main

import (
	"io"
	"log/slog"

	"maildir-imapd/config"
)

// newLog writes to w in the configured format; the level can be changed later.
func newLog(w io.Writer, c config.Log, level *slog.LevelVar) *slog.Logger {
	level.Set(c.SlogLevel())
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
