package cmd

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/approle"
	"github.com/keywright/keywright/provider/aws"
	"github.com/keywright/keywright/provider/bearer"
	"github.com/keywright/keywright/provider/binance"
	"github.com/keywright/keywright/provider/bybit"
	"github.com/keywright/keywright/provider/cloudflare"
	"github.com/keywright/keywright/provider/deploykey"
	"github.com/keywright/keywright/provider/deribit"
	"github.com/keywright/keywright/provider/gcp"
	"github.com/keywright/keywright/provider/github"
	"github.com/keywright/keywright/provider/gitlab"
	"github.com/keywright/keywright/provider/guided"
	"github.com/keywright/keywright/provider/kucoin"
	"github.com/keywright/keywright/provider/local"
	"github.com/keywright/keywright/provider/mysql"
	"github.com/keywright/keywright/provider/okta"
	"github.com/keywright/keywright/provider/okx"
	"github.com/keywright/keywright/provider/openai"
	"github.com/keywright/keywright/provider/postgres"
	"github.com/keywright/keywright/provider/rabbitmq"
	"github.com/keywright/keywright/provider/redis"
	"github.com/keywright/keywright/provider/sendgrid"
	"github.com/keywright/keywright/provider/sshkey"
	"github.com/keywright/keywright/provider/twilio"
)

// providers are all that keywright knows, in the order of their names.
func providers() []provider.Provider {
	all := []provider.Provider{
		approle.New(nil),
		aws.New(nil),
		binance.New(nil),
		bybit.New(nil),
		cloudflare.New(nil),
		deploykey.New(nil),
		deribit.New(nil),
		gcp.New(nil),
		github.New(nil),
		gitlab.New(nil),
		kucoin.New(nil),
		local.Provider{},
		mysql.MariaDB{},
		mysql.MySQL{},
		okta.New(nil),
		okx.New(nil),
		openai.New(nil),
		postgres.Provider{},
		rabbitmq.New(nil),
		redis.Provider{},
		sendgrid.New(nil),
		sshkey.Provider{},
		twilio.New(nil),
	}
	all = slices.Concat(all, bearer.All(nil), guided.All(nil))
	slices.SortFunc(all, func(a, b provider.Provider) int { return strings.Compare(a.Info().Name, b.Info().Name) })
	return all
}

// administers reports whether changes at one provider can be made with a key of another, as
// far as both are known.
func administers(admin, at string) bool {
	known := func(name string) (provider.Info, bool) {
		i := slices.IndexFunc(providers(), func(p provider.Provider) bool { return p.Info().Name == name })
		if i < 0 {
			return provider.Info{}, false
		}
		return providers()[i].Info(), true
	}
	with, knowsWith := known(admin)
	info, knows := known(at)
	return !knowsWith || !knows || with.Name == info.Name || slices.Contains(info.Admins, with.Name)
}

// partsAt are the parts that keys of a provider have; one if it is not known.
func partsAt(name string) (parts []string) {
	for _, p := range providers() {
		if info := p.Info(); info.Name == name {
			for _, part := range info.Parts {
				parts = append(parts, part.Name)
			}
		}
	}
	if len(parts) == 0 {
		return []string{keystore.SinglePart}
	}
	return parts
}

// publicAt reports whether a part of a provider's keys may be shown.
func publicAt(name, part string) bool {
	return slices.ContainsFunc(providers(), func(p provider.Provider) bool {
		info := p.Info()
		return info.Name == name && slices.Contains(info.Parts, provider.Part{Name: part, Public: true})
	})
}

const providersLong = `Lists the services at which keywright replaces keys, and what it can do there.
What it cannot do it says how to do by hand. What each needs, and what it was
run against, is in docs/providers.md.
`

func newProviders(term *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "providers",
		Short: "List where keys can be replaced",
		Long:  providersLong,
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return printProviders(term) },
	}
}

func printProviders(term *terminal) error {
	rows := [][]string{{"NAME", "WHAT", "NEW KEY", "VERIFY", "END"}}
	for _, p := range providers() {
		info := p.Info()
		rows = append(rows, []string{info.Name, info.Title, howNew(p), yesNo(is[provider.Verifier](p)), howEnd(p)})
	}
	return printTable(term.out, "", rows)
}

func is[T any](p provider.Provider) bool {
	_, ok := p.(T)
	return ok
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// howNew says who makes a new key.
func howNew(p provider.Provider) string {
	switch {
	case is[provider.Maker](p):
		return "made here"
	case is[provider.Issuer](p):
		return "issued"
	case is[provider.Guide](p):
		return "by hand"
	}
	return "no"
}

// howEnd says how an old key is ended.
func howEnd(p provider.Provider) string {
	switch {
	case is[provider.Revoker](p):
		return "revoked"
	case is[provider.Guide](p):
		return "by hand"
	}
	return "no"
}
