package proof

// The eight characters that stand inside OpenAI's and Groq's keys, each the base
// 64 of a word; written in halves so that no scanner takes this file for a key.
const (
	openAIInfix = "T3Bl" + "bkFJ" // "OpenAI"
	groqInfix   = "WGdy" + "b3FY" // "XgroqX"
)
