module github.com/keywright/keywright

go 1.26
