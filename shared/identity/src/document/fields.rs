//! Reading an object member by member. What is wrong is said with its place and the rule that it breaks, never with its value.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::LoginDocumentError;
use crate::strict_json::Node;

/// Longest name in a path, in characters; what follows is cut.
const NAME_CHARACTERS: usize = 64;

/// The members of one object that have not been read yet.
pub(super) struct Fields {
    /// Such as `clients[0]`; empty for the document itself.
    path: String,
    members: BTreeMap<String, Node>,
}

type Read<T> = Result<T, LoginDocumentError>;

impl Fields {
    pub(super) fn of(node: Node, path: impl Into<String>) -> Read<Self> {
        let path = path.into();
        match node {
            Node::Object(members) => Ok(Self { path, members }),
            _ if path.is_empty() => Err(LoginDocumentError::new(
                "the login document",
                "must be an object",
            )),
            _ => Err(LoginDocumentError::new(path, "must be an object")),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        let name: String = name.chars().take(NAME_CHARACTERS).collect();
        if self.path.is_empty() {
            name
        } else {
            format!("{}.{name}", self.path)
        }
    }

    pub(super) fn wrong(&self, name: &str, problem: impl Into<String>) -> LoginDocumentError {
        LoginDocumentError::new(self.path_of(name), problem)
    }

    /// The object `name`, which is required.
    pub(super) fn object(&mut self, name: &str) -> Read<Self> {
        self.optional_object(name)?
            .ok_or_else(|| self.wrong(name, "is missing"))
    }

    pub(super) fn optional_object(&mut self, name: &str) -> Read<Option<Self>> {
        self.members
            .remove(name)
            .map(|node| Self::of(node, self.path_of(name)))
            .transpose()
    }

    /// All members, each of which must be an object.
    pub(super) fn objects(mut self) -> Read<Vec<(String, Self)>> {
        std::mem::take(&mut self.members)
            .into_iter()
            .map(|(name, node)| {
                let fields = Self::of(node, self.path_of(&name))?;
                Ok((name, fields))
            })
            .collect()
    }

    /// All members, each of which must be a text.
    pub(super) fn texts(mut self) -> Read<BTreeMap<String, Zeroizing<String>>> {
        std::mem::take(&mut self.members)
            .into_iter()
            .map(|(name, node)| match node {
                Node::Text(text) => Ok((name, text)),
                _ => Err(self.wrong(&name, "must be a text")),
            })
            .collect()
    }

    /// The objects in the array `name`; none where it is absent.
    pub(super) fn array(&mut self, name: &str) -> Read<Vec<Self>> {
        self.elements(name)?
            .into_iter()
            .map(|(path, node)| Self::of(node, path))
            .collect()
    }

    /// The texts in the array `name`, each with its place; none where it is absent.
    pub(super) fn text_array(&mut self, name: &str) -> Read<Vec<(String, Zeroizing<String>)>> {
        self.elements(name)?
            .into_iter()
            .map(|(path, node)| match node {
                Node::Text(text) => Ok((path, text)),
                _ => Err(LoginDocumentError::new(path, "must be a text")),
            })
            .collect()
    }

    fn elements(&mut self, name: &str) -> Read<Vec<(String, Node)>> {
        let nodes = match self.members.remove(name) {
            None => Vec::new(),
            Some(Node::Array(nodes)) => nodes,
            Some(_) => return Err(self.wrong(name, "must be an array")),
        };
        let path = self.path_of(name);
        let places = (0..).map(|index| format!("{path}[{index}]"));
        Ok(places.zip(nodes).collect())
    }

    pub(super) fn text(&mut self, name: &str) -> Read<Zeroizing<String>> {
        self.optional_text(name)?
            .ok_or_else(|| self.wrong(name, "is missing"))
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Read<Option<Zeroizing<String>>> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a text")),
        }
    }

    /// `false` where it is absent.
    pub(super) fn flag(&mut self, name: &str) -> Read<bool> {
        match self.members.remove(name) {
            None => Ok(false),
            Some(Node::Bool(value)) => Ok(value),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    pub(super) fn optional_whole_number(&mut self, name: &str) -> Read<Option<u64>> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Node::Whole(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(name, "must be a whole number")),
        }
    }

    /// Refuses what has not been read: a member that the document does not know is a misspelled one.
    pub(super) fn end(self) -> Read<()> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.wrong(name, "is not known here")),
        }
    }
}
