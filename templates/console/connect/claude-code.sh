claude mcp add --transport http MODEL BASE_URL/mcp/a/MODEL --header "Authorization: Bearer $API_KEY"
