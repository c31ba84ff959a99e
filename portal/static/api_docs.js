// The viewer of the API's description: it sends the key that was typed in, and never a session's cookie.
"use strict";

const place = document.getElementById("viewer");
const PREFIX = "Api-Key ";

function keysOnly(description) {
  const known = description.components.securitySchemes;
  description.components.securitySchemes = { apiKey: known.apiKey };
  for (const calls of Object.values(description.paths)) {
    for (const call of Object.values(calls)) {
      if (call.security) call.security = [{ apiKey: [] }];
    }
  }
  return description;
}

function leaving(request) {
  request.credentials = "omit";
  const key = request.headers.Authorization;
  if (key && !key.startsWith(PREFIX)) request.headers.Authorization = PREFIX + key.trim();
  return request;
}

fetch(place.dataset.description, { credentials: "omit" })
  .then((answer) => answer.json())
  .then((description) => {
    SwaggerUIBundle({
      spec: keysOnly(description),
      domNode: place,
      deepLinking: true,
      docExpansion: "none",
      filter: true,
      persistAuthorization: false,
      requestInterceptor: leaving,
      validatorUrl: null,
    });
  });
