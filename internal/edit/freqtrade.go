package edit

import (
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// freqtrade's secrets: their paths in its config.json, and the parts of one key that
// those of the exchange are. It overrides each with a variable named like the path,
// FREQTRADE__EXCHANGE__KEY (freqtrade's documentation, "Configuration").
var (
	freqtradeParts = map[string]string{
		freqtradeKey:      "id",
		freqtradeSecret:   "secret",
		freqtradePassword: "passphrase",
	}
	freqtradeOthers = []string{"telegram.token", "api_server.password", "api_server.jwt_secret_key", "api_server.ws_token"}

	// What stands in the configuration that freqtrade makes, until it is filled in.
	freqtradeExamples = []string{"your_exchange_key", "your_exchange_secret", "your_telegram_token", "SuperSecurePassword", "somethingrandom", "sameSuperSecretTokenAsInTheFrontend"}
)

const (
	freqtradeName     = "exchange.name"
	freqtradeKey      = "exchange.key"
	freqtradeSecret   = "exchange.secret"
	freqtradePassword = "exchange.password"
)

// isFreqtrade reports whether JSON is a configuration of freqtrade's: it trades with a
// stake on an exchange.
func isFreqtrade(data []byte) bool {
	root, _, err := parseJSON(data)
	if err != nil {
		return false
	}
	return root.Find("/stake_currency") != nil && isObject(root.Find("/exchange"))
}

func isObject(v *hujson.Value) bool {
	if v == nil {
		return false
	}
	_, ok := v.Value.(*hujson.Object)
	return ok
}

// readFreqtrade reads of a configuration what is secret, and the name of the exchange.
func readFreqtrade(data []byte) ([]Variable, []Problem, error) {
	all, problems, err := readJSON(data)
	if err != nil {
		return nil, nil, err
	}
	secrets := func(name string) bool { return freqtradeParts[name] != "" || slices.Contains(freqtradeOthers, name) }
	problems = slices.DeleteFunc(problems, func(p Problem) bool { return !secrets(p.Name) })
	var kept []Variable
	for _, v := range all {
		switch {
		case v.Name == freqtradeName:
			kept = append(kept, v)
		case !secrets(v.Name) || v.Name == freqtradePassword && v.Value.IsZero(): // few exchanges have one
		case v.Value.IsZero():
			problems = append(problems, Problem{v.Line, v.Name, "its value is empty"})
		case slices.Contains(freqtradeExamples, string(v.Value.Reveal())):
			problems = append(problems, Problem{v.Line, v.Name, "it is the example that freqtrade puts there"})
		default:
			kept = append(kept, v)
		}
	}
	kept, halves := wholeKey(kept)
	return kept, append(problems, halves...), nil
}

// wholeKey takes out what is there of an exchange's key if its id or its secret is not.
func wholeKey(kept []Variable) ([]Variable, []Problem) {
	has := func(name string) bool {
		return slices.ContainsFunc(kept, func(v Variable) bool { return v.Name == name })
	}
	if has(freqtradeKey) && has(freqtradeSecret) {
		return kept, nil
	}
	var problems []Problem
	kept = slices.DeleteFunc(kept, func(v Variable) bool {
		part := freqtradeParts[v.Name] != ""
		if part {
			problems = append(problems, Problem{v.Line, v.Name, "it needs both " + freqtradeKey + " and " + freqtradeSecret})
		}
		return part
	})
	return kept, problems
}

// freqtradeVariable is the variable that freqtrade reads in place of a path.
func freqtradeVariable(path string) string {
	return "FREQTRADE__" + strings.ToUpper(strings.ReplaceAll(path, ".", "__"))
}
