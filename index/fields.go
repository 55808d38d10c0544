package index

import (
	"hash/crc32"
	"strings"
)

// Fields are the header fields that are remembered: those that the usual clients
// ask for when they list a folder (Thunderbird, Apple Mail, Outlook, K-9, mutt, Evolution,
// KMail, Roundcube), those that ENVELOPE is made of, and those that SORT, THREAD and filters
// need. A field that a message does not have costs nothing; so what is left out are fields
// that are long, in every message, and hardly ever asked for: Received,
// DKIM-Signature, Authentication-Results, ARC-*.
//
// A file that was written with another list is not used.
var Fields = []string{
	// ENVELOPE and threads.
	"Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID", "References",
	// What kind of message it is.
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-Description", "Content-Language", "Content-Class",
	// How urgent.
	"Priority", "X-Priority", "X-MSMail-Priority", "Importance", "Sensitivity",
	// Lists.
	"List-Id", "List-Post", "List-Help", "List-Archive", "List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Owner",
	"Mailing-List", "X-Mailing-List", "Mail-Followup-To", "Mail-Reply-To", "Precedence", "Auto-Submitted",
	// Receipts.
	"Disposition-Notification-To", "Return-Receipt-To", "Original-Message-ID",
	// Where from, where to.
	"Return-Path", "Delivered-To", "X-Original-To", "Resent-Date", "Resent-From", "Resent-To", "Resent-Message-ID", "User-Agent", "X-Mailer",
	// News.
	"Newsgroups", "Followup-To", "Lines", "Xref",
	// Spam.
	"X-Spam-Flag", "X-Spam-Level", "X-Spam-Status", "X-Spam-Score",
	// Of single clients.
	"X-Label", "X-Keywords", "Keywords", "X-Mozilla-Status", "X-Mozilla-Status2", "X-Draft-Info", "X-Account-Key", "X-Identity-Key",
	"X-Uniform-Type-Identifier", "X-Universally-Unique-Identifier", "X-Calendar-Attachment", "X-Evolution-Source", "X-K9mail-Identity",
	"Chat-Version", "X-RSS-Feed", "X-GM-Labels", "X-UID",
}

// fieldsSum changes with the list.
var fieldsSum = crc32.Checksum([]byte(strings.Join(Fields, "\n")), castagnoli)
