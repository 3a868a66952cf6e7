package mysql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
)

// The server's error codes.
const (
	tooManyConnections = 1040
	databaseDenied     = 1044
	accessDenied       = 1045
	shutdown           = 1053
	noSuchThread       = 1094
	hostBlocked        = 1129
	hostNotPrivileged  = 1130
	tableDenied        = 1142
	tooManyOfUser      = 1203
	lockTimeout        = 1205
	deadlock           = 1213
	limitReached       = 1226
	specificDenied     = 1227
	optionPrevents     = 1290
	interrupted        = 1317
	mustChange         = 1820
	mustChangeLogin    = 1862
	killed             = 1927
	accountLocked      = 3118 // MySQL's
	accountLockedMaria = 4151 // MariaDB's
)

func locked(code uint16) bool { return code == accountLocked || code == accountLockedMaria }

// errNonsense says that an answer cannot be one of the protocol's.
var errNonsense = errors.New("the answer is not one of a server's")

// errSilent is what we say ourselves.
var errSilent = fmt.Errorf("nobody was let in nor refused within %v", server.Dialing)

// refusal is a no: the server's, with its code, or ours.
type refusal struct {
	code  uint16
	text  string
	hint  string
	full  bool // there is no room for another password
	login bool // nobody was logged in yet
}

func (r *refusal) Error() string { return r.text }

// said is the code; empty if the refusal is ours.
func (r *refusal) said() string {
	if r.code == 0 {
		return ""
	}
	return strconv.Itoa(int(r.code))
}

// probe is what a refusal says of the credential that was tried.
func (r *refusal) probe() provider.Probe {
	said := r.said() + " " + r.text
	switch {
	case strings.HasPrefix(r.text, "ProxySQL"): // which has a list of users of its own
		return provider.Probe{State: provider.Unknown, Code: said}
	case r.login && (r.code == accessDenied || locked(r.code)):
		return provider.Probe{State: provider.Dead, Code: r.said()}
	case r.login && (r.code == hostBlocked || r.code == hostNotPrivileged):
		return provider.Probe{State: provider.Blocked, Code: said}
	case r.code == tooManyConnections || r.code == tooManyOfUser || r.code == limitReached:
		return provider.Probe{State: provider.Throttled, Code: said}
	case r.code == mustChange, r.code == mustChangeLogin: // the password was accepted, and has expired
		return provider.Probe{State: provider.Narrow, Code: said}
	default:
		return provider.Probe{State: provider.Unknown, Code: said}
	}
}

// kind is what a refusal is to those who do not know the codes.
func (r *refusal) kind() provider.Kind {
	if r.full {
		return provider.NoSlot
	}
	switch r.code {
	case databaseDenied, accessDenied, tableDenied, specificDenied, mustChange, mustChangeLogin, accountLocked, accountLockedMaria:
		return provider.Forbidden
	case tooManyConnections, tooManyOfUser, limitReached, lockTimeout, deadlock:
		return provider.Busy
	case shutdown, interrupted, killed:
		return provider.Unclear
	default:
		return provider.Refused
	}
}

// explain makes an error one that a provider may return. Nothing of the driver's is in it:
// it quotes what a server sent.
func (d dialect) explain(ctx context.Context, doing string, err error, login bool, hide func(string) string) error {
	if err == nil {
		return nil
	}
	e := &provider.Error{Provider: d.name, Doing: doing, Kind: provider.Unclear}
	if login {
		e.Kind = provider.Unreached
	}
	said, no := (*mysql.MySQLError)(nil), (*refusal)(nil)
	switch {
	case errors.As(err, &no):
	case errors.As(err, &said) && said.Number == 0:
		e.Kind, err = provider.Malformed, errNonsense
	case errors.As(err, &said):
		no = &refusal{code: said.Number, text: said.Message, login: login}
		if said.Number == optionPrevents {
			no.hint = "if this is a replica, name the primary server"
		}
	case ctx.Err() != nil:
		e.Err = ctx.Err()
		return e
	case errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrOldPassword):
		no = &refusal{text: "the server asks for the password by a method that is not known here", hint: d.hint}
	case errors.Is(err, errNonsense), errors.Is(err, mysql.ErrMalformPkt), errors.Is(err, mysql.ErrPktSync), errors.Is(err, mysql.ErrPktSyncMul), errors.Is(err, mysql.ErrOldProtocol):
		e.Kind, err = provider.Malformed, errNonsense
	}
	if no != nil {
		shown := *no
		shown.text = hide(no.text)
		e.Kind, e.Code, e.Hint, e.Err = no.kind(), no.said(), no.hint, &shown
		return e
	}
	e.Err = errors.New(hide(words(err)))
	return e
}

// words say why no answer came.
func words(err error) string {
	network, certificate := (*net.OpError)(nil), (*tls.CertificateVerificationError)(nil)
	switch {
	case errors.Is(err, errNonsense), errors.Is(err, server.ErrStillOpen), errors.Is(err, errSilent), errors.Is(err, mysql.ErrNoTLS), errors.As(err, &network), errors.As(err, &certificate):
		return err.Error()
	}
	return "the connection broke off, or what came was not of the protocol"
}

// refused reports whether the server said no with a code.
func refused(err error, code uint16) bool {
	said := (*mysql.MySQLError)(nil)
	return errors.As(err, &said) && said.Number == code
}

// forbidden adds a hint to what the server refuses for want of a right.
func forbidden(err error, hint string) error {
	if said := (*mysql.MySQLError)(nil); errors.As(err, &said) && (said.Number == tableDenied || said.Number == databaseDenied) {
		return &refusal{code: said.Number, text: said.Message, hint: hint}
	}
	return err
}

func (d dialect) incomplete(doing, what string) error {
	return &provider.Error{Provider: d.name, Doing: doing, Kind: provider.Incomplete, Err: errors.New(what)}
}
