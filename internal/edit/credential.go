package edit

import (
	"slices"
	"strings"
)

// Credential is what in a file makes one key.
type Credential struct {
	Name     string // that the key may have
	Provider string // who issues it; empty if the file does not say
	Parts    []Field
}

// Field is a value of a credential.
type Field struct {
	Part     string // empty if it is the only one
	Variable        // where it stands
	Env      string // the variable that programs look for it in; empty if none is known
}

// Line is where the credential begins.
func (c Credential) Line() int { return c.Parts[0].Line }

// Credentials are the values of the file as keys: each is one, but freqtrade's key,
// secret and password of an exchange belong together.
func (f *File) Credentials() (list []Credential) {
	exchange, at := "", -1
	if i := slices.IndexFunc(f.Variables, func(v Variable) bool { return v.Name == freqtradeName }); f.format == FormatFreqtrade && i >= 0 {
		exchange = string(f.Variables[i].Value.Reveal())
	}
	for _, v := range f.Variables {
		switch part := freqtradeParts[v.Name]; {
		case f.format == FormatDotenv:
			list = append(list, Credential{v.Name, "", []Field{{"", v, v.Name}}})
		case f.format != FormatFreqtrade:
			list = append(list, Credential{v.Name, "", []Field{{"", v, ""}}})
		case v.Name == freqtradeName:
		case part == "":
			list = append(list, Credential{v.Name, "", []Field{{"", v, freqtradeVariable(v.Name)}}})
		default:
			if at < 0 {
				at = len(list)
				list = append(list, Credential{exchangeKey(exchange), exchange, nil})
			}
			list[at].Parts = append(list[at].Parts, Field{part, v, freqtradeVariable(v.Name)})
		}
	}
	return list
}

// exchangeKey is the name of the key of an exchange.
func exchangeKey(exchange string) string {
	if exchange == "" {
		return "EXCHANGE"
	}
	return strings.ToUpper(exchange)
}
