package server

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var openapiYAML []byte

// openapiDocument is the API's description in both formats.
type openapiDocument struct {
	asYAML, asJSON []byte
}

// loadOpenAPI reads the embedded description and fills in the version.
func loadOpenAPI(version string) (openapiDocument, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(openapiYAML, &tree); err != nil {
		return openapiDocument{}, fmt.Errorf("read openapi.yaml: %w", err)
	}
	if info, ok := tree["info"].(map[string]any); ok {
		info["version"] = version
	}
	asJSON, err := json.MarshalIndent(tree, "", " ")
	if err != nil {
		return openapiDocument{}, fmt.Errorf("write openapi.json: %w", err)
	}
	asYAML, err := yaml.Marshal(tree)
	if err != nil {
		return openapiDocument{}, fmt.Errorf("write openapi.yaml: %w", err)
	}
	return openapiDocument{asYAML: asYAML, asJSON: asJSON}, nil
}

func (d openapiDocument) json(c echo.Context) error {
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, d.asJSON)
}

func (d openapiDocument) yaml(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", d.asYAML)
}
