package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keywright/keywright/provider"
)

// SQLSTATEs, by their names in the manual.
const (
	invalidPassword       = "28P01"
	invalidAuthorization  = "28000"
	insufficientPrivilege = "42501"
	undefinedObject       = "42704"
	invalidCatalogName    = "3D000"
	notInPrerequisite     = "55000"
	tooManyConnections    = "53300"
	cannotConnectNow      = "57P03"
	adminShutdown         = "57P01"
	crashShutdown         = "57P02"
	queryCanceled         = "57014"
	readOnly              = "25006"
	serialization         = "40001"
	deadlock              = "40P01"
	lockNotAvailable      = "55P03"
)

// errNonsense says that an answer cannot be one of PostgreSQL's.
var errNonsense = errors.New("the answer is not one of PostgreSQL's")

// refusal is a no: the server's, with its code, or ours.
type refusal struct {
	code    string
	routine string // of the server's source: it is not translated, as its text is
	text    string
	hint    string
	login   bool // nobody was logged in yet
}

func (r *refusal) Error() string { return r.text }

// probe is what a refusal says of the credential that was tried.
func (r *refusal) probe() provider.Probe {
	said := strings.TrimSpace(r.code + " " + r.text)
	inside := r.routine == "InitPostgres" || r.routine == "CheckMyDatabase"
	switch {
	case r.code == invalidPassword && r.login,
		r.code == invalidAuthorization && r.login && r.routine == "InitializeSessionUserId":
		return provider.Probe{State: provider.Dead, Code: r.code}
	case r.code == invalidAuthorization && r.login && r.routine == "ClientAuthentication":
		return provider.Probe{State: provider.Blocked, Code: said} // by pg_hba.conf, before the password was looked at
	case r.code == tooManyConnections:
		return provider.Probe{State: provider.Throttled, Code: said}
	case !r.login, inside && (r.code == invalidCatalogName || r.code == insufficientPrivilege || r.code == notInPrerequisite):
		return provider.Probe{State: provider.Narrow, Code: said} // the password had been accepted by then
	default:
		return provider.Probe{State: provider.Unknown, Code: said}
	}
}

// kind is what a refusal is to those who do not know PostgreSQL's codes.
func (r *refusal) kind() provider.Kind {
	switch r.code {
	case insufficientPrivilege, invalidPassword, invalidAuthorization:
		return provider.Forbidden
	case tooManyConnections, cannotConnectNow, serialization, deadlock, lockNotAvailable:
		return provider.Busy
	case adminShutdown, crashShutdown, queryCanceled:
		return provider.Unclear
	default:
		return provider.Refused
	}
}

// explain makes an error one that a provider may return. Nothing of pgconn's is in it:
// its errors hold the configuration, and with it the password.
func explain(ctx context.Context, doing string, err error, login bool, hide func(string) string) error {
	if err == nil {
		return nil
	}
	e := &provider.Error{Provider: name, Doing: doing, Kind: provider.Unclear}
	if login { // later, what was not sent may come after what was done
		e.Kind = provider.Unreached
	}
	said, no := (*pgconn.PgError)(nil), (*refusal)(nil)
	switch {
	case errors.As(err, &no):
	case errors.As(err, &said) && said.Code == "":
		err, e.Kind = errNonsense, provider.Malformed
	case errors.As(err, &said):
		no = &refusal{code: said.Code, routine: said.Routine, text: said.Message, login: login}
		if said.Code == readOnly {
			no.hint = "this is a standby: name the primary server"
		}
	case ctx.Err() != nil:
		e.Err = ctx.Err()
		return e
	case strings.Contains(err.Error(), "authentication method requirement"): // pgconn has no type for it
		no = &refusal{text: inner(err), hint: "pg_hba.conf must ask this user for a password, by scram-sha-256"}
	case !lost(err):
		e.Kind = provider.Malformed
	}
	if no != nil {
		shown := *no
		shown.text = hide(no.text)
		e.Kind, e.Code, e.Hint, e.Err = no.kind(), no.code, no.hint, &shown
		return e
	}
	e.Err = errors.New(hide(inner(err)))
	return e
}

// lost reports whether an error is the network's, or of whoever answers in its name.
func lost(err error) bool {
	network, certificate := net.Error(nil), (*tls.CertificateVerificationError)(nil)
	return errors.As(err, &network) || errors.As(err, &certificate) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "refused TLS")
}

// inner is what an error says without the names of user and database.
func inner(err error) string {
	if connect := (*pgconn.ConnectError)(nil); errors.As(err, &connect) {
		err = errors.Unwrap(connect)
	}
	return err.Error()
}

func incomplete(doing, what string) error {
	return &provider.Error{Provider: name, Doing: doing, Kind: provider.Incomplete, Err: errors.New(what)}
}

// ignore drops a refusal with a code.
func ignore(err error, code string) error {
	if said := (*pgconn.PgError)(nil); errors.As(err, &said) && said.Code == code {
		return nil
	}
	return err
}
