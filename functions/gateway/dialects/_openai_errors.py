"""What OpenAI calls each cause, for its routes and for the lines of its batch files."""

from gateway.core import errors
from gateway.core.errors import GatewayError
from gateway.dialects import _openai_shape as shape
from gateway.dialects._response import Response

WIRE_ERRORS: shape.WireErrors = {
    errors.InvalidRequest: (400, "invalid_request_error", "invalid_value"),
    errors.UnsupportedParameter: (400, "invalid_request_error", "unsupported_value"),
    errors.InputTooLong: (400, "invalid_request_error", "context_length_exceeded"),
    errors.RequestTooLarge: (400, "invalid_request_error", "request_too_large"),
    errors.BodyTooLarge: (413, "invalid_request_error", "body_too_large"),
    errors.WrongContentType: (415, "invalid_request_error", "unsupported_content_type"),
    errors.Unauthenticated: (401, "invalid_request_error", "invalid_api_key"),
    errors.NotPermitted: (403, "invalid_request_error", "model_not_permitted"),
    errors.WrongRegion: (403, "invalid_request_error", "wrong_region"),
    errors.ModelNotFound: (404, "invalid_request_error", "model_not_found"),
    errors.ResourceNotFound: (404, "invalid_request_error", "not_found"),
    errors.MethodNotAllowed: (405, "invalid_request_error", "method_not_allowed"),
    errors.AllowanceExhausted: (429, "rate_limit_error", "rate_limit_exceeded"),
    errors.ProviderRefused: (400, "invalid_request_error", "provider_refused"),
    errors.ProviderThrottled: (429, "rate_limit_error", "provider_rate_limit_exceeded"),
    errors.ProviderMisconfigured: (502, "server_error", "provider_misconfigured"),
    errors.ProviderUnavailable: (503, "server_error", "provider_unavailable"),
    errors.ProviderTimeout: (504, "server_error", "provider_timeout"),
    errors.ProviderMisbehaved: (502, "server_error", "provider_misbehaved"),
    errors.StoreUnavailable: (503, "server_error", "temporarily_unavailable"),
    errors.InternalError: (500, "server_error", "internal_error"),
}


def render_error(error: GatewayError) -> Response:
    """OpenAI's error object."""
    return shape.error_response(error, *shape.wire_error(error, WIRE_ERRORS), param=error.param)
