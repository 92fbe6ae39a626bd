use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// A `T` that is written as a JSON object. By itself serde would also take an array, as the members in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typed_json;

    #[derive(Debug, Deserialize)]
    struct Task {
        content: String,
    }

    #[test]
    fn an_array_is_no_object() {
        let read = |text: &str| {
            typed_json::parse::<Vec<Object<Task>>>(text)
                .map(|tasks| tasks.into_iter().map(|Object(task)| task.content).collect())
                .map_err(|misfit| format!("{}: {}", misfit.path, misfit.rule))
        };
        let texts: Vec<String> = read(r#"[{"content":"c"}]"#).unwrap();
        assert_eq!(texts, ["c"]);
        for (text, said) in [
            (r#"[["c"]]"#, "[0]: must be an object"),
            ("[7]", "[0]: must be an object"),
            ("[{}]", "[0].content: is required"),
            (r#"[{"content":7}]"#, "[0].content: must be a string"),
        ] {
            assert_eq!(read(text).unwrap_err(), said, "{text}");
        }
    }
}
