//! `millstream quotas`.

use clap::{Args, Subcommand};

use super::json::Json;
use super::output::{print, print_json, print_rows};
use super::{Bootstrap, CliError};
use crate::client::quotas::{Entity, Quotas, alter, describe};

/// Show and set quotas of users, client ids and addresses
#[derive(Debug, Args)]
#[command(after_help = "\
Quotas: producer_byte_rate, consumer_byte_rate (bytes in a second), request_percentage (of one
core's time), and for addresses connection_creation_rate (in a second). One more is accepted and
has no effect yet: controller_mutation_rate (partitions in a second).

Examples:
  millstream quotas set --client-id batch producer_byte_rate=1048576
  millstream quotas set --default-client-id consumer_byte_rate=10485760
  millstream quotas set --ip 10.0.0.7 connection_creation_rate=20
  millstream quotas delete --client-id batch producer_byte_rate
  millstream quotas list")]
pub struct QuotasArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List quotas: all, or those of the users, client ids or addresses named
    List {
        #[command(flatten)]
        whose: Whose,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Set quotas
    Set {
        #[command(flatten)]
        whose: Whose,
        /// The quotas
        #[arg(required = true, value_name = "QUOTA=NUMBER", value_parser = quota)]
        quotas: Vec<(String, f64)>,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Take quotas away
    Delete {
        #[command(flatten)]
        whose: Whose,
        /// The quotas
        #[arg(required = true, value_name = "QUOTA")]
        quotas: Vec<String>,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
}

/// Whose quotas.
#[derive(Debug, Args)]
struct Whose {
    /// Of a user
    #[arg(long, value_name = "NAME", conflicts_with = "default_user")]
    user: Option<String>,
    /// Of every user that has none of its own
    #[arg(long)]
    default_user: bool,
    /// Of a client id; with a user, of that user's clients of this id
    #[arg(long, value_name = "ID", conflicts_with = "default_client_id")]
    client_id: Option<String>,
    /// Of every client id that has none of its own
    #[arg(long)]
    default_client_id: bool,
    /// Of an address
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["default_ip", "user", "default_user", "client_id", "default_client_id"])]
    ip: Option<String>,
    /// Of every address that has none of its own
    #[arg(long, conflicts_with_all = ["user", "default_user", "client_id", "default_client_id"])]
    default_ip: bool,
}

impl Whose {
    fn entity(&self) -> Entity {
        let parts = [
            ("user", &self.user, self.default_user),
            ("client-id", &self.client_id, self.default_client_id),
            ("ip", &self.ip, self.default_ip),
        ];
        let given = parts.into_iter().filter(|(_, name, default)| name.is_some() || *default);
        given.map(|(kind, name, _)| (kind.to_owned(), name.clone())).collect()
    }

    fn one_entity(&self) -> Result<Entity, CliError> {
        let entity = self.entity();
        if entity.is_empty() {
            let words = "whose quotas? name a user, a client id or an address, such as \
                         --client-id ID or --default-user";
            return Err(CliError::Message(words.to_owned()));
        }
        Ok(entity)
    }
}

fn quota(text: &str) -> Result<(String, f64), String> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = split.ok_or("write QUOTA=NUMBER, such as producer_byte_rate=1048576")?;
    let value = value.parse().map_err(|_| format!("{value} is no number"))?;
    Ok((name.to_owned(), value))
}

/// Does what was asked.
///
/// # Errors
/// The broker refuses, or does not answer.
pub fn run(args: &QuotasArgs) -> Result<(), CliError> {
    match &args.action {
        Action::List { whose, json, bootstrap } => {
            let found = describe(&mut bootstrap.cluster()?, &whose.entity())?;
            list(&found, *json)
        }
        Action::Set { whose, quotas, bootstrap } => {
            let changes: Vec<_> =
                quotas.iter().map(|(name, value)| (name.clone(), Some(*value))).collect();
            alter(&mut bootstrap.cluster()?, &whose.one_entity()?, &changes)?;
            print("set\n")
        }
        Action::Delete { whose, quotas, bootstrap } => {
            let changes: Vec<_> = quotas.iter().map(|name| (name.clone(), None)).collect();
            alter(&mut bootstrap.cluster()?, &whose.one_entity()?, &changes)?;
            print("deleted\n")
        }
    }
}

fn list(found: &[Quotas], json: bool) -> Result<(), CliError> {
    if json {
        return print_json(&Json::list(found.iter().map(|quotas| {
            let part = |(kind, name): (&String, &Option<String>)| {
                (kind.clone(), name.as_ref().map_or(Json::Null, Json::text))
            };
            let values =
                quotas.values.iter().map(|(name, value)| (name.clone(), Json::Real(*value)));
            Json::object([
                ("entity", Json::Object(quotas.entity.iter().map(part).collect())),
                ("quotas", Json::Object(values.collect())),
            ])
        })));
    }
    let name_in = |entity: &Entity, kind: &str| match entity.get(kind) {
        None => Json::Null,
        Some(None) => Json::text("(default)"),
        Some(Some(name)) => Json::text(name),
    };
    let rows = found.iter().flat_map(|quotas| {
        quotas.values.iter().map(move |(name, value)| {
            Json::object([
                ("user", name_in(&quotas.entity, "user")),
                ("client_id", name_in(&quotas.entity, "client-id")),
                ("ip", name_in(&quotas.entity, "ip")),
                ("quota", Json::text(name)),
                ("value", Json::Real(*value)),
            ])
        })
    });
    let none = "no quotas yet: `millstream quotas set --help` shows how to set some";
    print_rows(rows.collect(), false, none)
}
