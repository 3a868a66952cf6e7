package guided

// Sign is Kraken's signature.
var Sign = sign
