use function_kit::{Failure, Form, Request};

/// The parameters of an authorization request: the query, or the form of a `POST` (OpenID Connect Core, section 3.1.2.1).
pub(crate) enum Parameters<'a> {
    Query(&'a Request),
    Form(Form),
}

impl<'a> Parameters<'a> {
    /// # Errors
    /// `invalid_argument` for a body that is no form.
    pub fn of(request: &'a Request) -> Result<Self, Failure> {
        match request.method() {
            "POST" => request.form().map(Self::Form),
            _ => Ok(Self::Query(request)),
        }
    }

    /// The value of `name`. An empty one is none (RFC 6749, section 3.1).
    ///
    /// # Errors
    /// `invalid_argument` when it stands there twice.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Failure> {
        let value = match self {
            Self::Query(request) => request.query_value(name)?,
            Self::Form(form) => form.value(name),
        };
        Ok(value.filter(|value| !value.is_empty()))
    }
}
