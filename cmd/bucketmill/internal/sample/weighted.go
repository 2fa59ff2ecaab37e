package sample

// A weighted text is one of several choices; weight is its frequency relative to the others.
type weighted struct {
	text   string
	weight uint64
}

// choices draws from a list of weighted texts.
type choices struct {
	list    []weighted
	chooser chooser
}

func newChoices(list []weighted) choices {
	weights := make([]uint64, len(list))
	for i, w := range list {
		weights[i] = w.weight
	}
	return choices{list: list, chooser: newChooser(weights)}
}

// choose maps a random number to a text.
func (c *choices) choose(random uint64) string { return c.list[c.chooser.choose(random)].text }
