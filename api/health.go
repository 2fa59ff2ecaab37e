package api

// Health is the answer of both probes if the server is healthy.
type Health struct {
	Status string `json:"status"` // "ok"
}
