package api

// Health is the answer of both probes when all is well.
type Health struct {
	Status string `json:"status"` // "ok"
}
