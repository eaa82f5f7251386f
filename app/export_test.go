package app

// NewWithBlocked is New with a block list that differs from the chain's own.
var NewWithBlocked = newApp
