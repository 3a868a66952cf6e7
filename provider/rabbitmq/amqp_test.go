package rabbitmq

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzAnswers: whatever a broker sends, reading it ends without a panic, and what it gives
// back is a part of what was sent.
func FuzzAnswers(f *testing.F) {
	frame := func(method byte, args string) []byte {
		var b bytes.Buffer
		if err := say(&b, method, args); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	f.Add(frame(start, "\x00\x09"+long("")+long("PLAIN AMQPLAIN")+long("en_US")))
	f.Add(frame(start, "\x00\x09"+long("\x04PLAIN")))
	f.Add(frame(closing, "\x01\x93"+short("ACCESS_REFUSED")+"\x00\x0a\x00\x0b"))
	f.Add(frame(closing, "\x01\x93\xff"))
	f.Add([]byte("AMQP\x00\x00\x09\x01"))
	f.Add([]byte("\x01\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		args, err := expect(bytes.NewReader(sent), start)
		no := (*refusal)(nil)
		if errors.As(err, &no) && !bytes.Contains(sent, []byte(no.text)) {
			t.Errorf("%q was not sent", no.text)
		}
		if err == nil && !bytes.Contains(sent, []byte(args)) {
			t.Errorf("%q was not sent", args)
		}
		if err == nil && plain(args) == nil && !bytes.Contains(sent, []byte("PLAIN")) {
			t.Error("PLAIN was not offered")
		}
	})
}
