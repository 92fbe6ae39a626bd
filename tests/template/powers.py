"""What each function may do at AWS, and where the template says so."""

from expanded import ROOT, functions, source

# The keys of access tokens and those of refresh tokens are two secrets: who can read a stored token cannot refresh it.
APPS, ACCESS_KEYS, REFRESH_KEYS = {"Ref": "AppsSecretArn"}, {"Ref": "TokenKeysSecretArn"}, {"Ref": "RefreshTokenKeysSecretArn"}
# The login document: keys that sign id_tokens, keys of sessions, clients.
LOGIN = {"Ref": "LoginSecretArn"}
TABLE = {"Fn::GetAtt": ["TokenTable", "Arn"]}
IDENTITY_TABLE = {"Fn::GetAtt": ["IdentityTable", "Arn"]}
ORDER_TABLE = {"Fn::GetAtt": ["OrderTable", "Arn"]}
ALL_ACTIONS = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
REFRESHER = {"Fn::GetAtt": ["RefreshTokens", "Arn"]}
DUE_INDEX = {"Fn::Sub": "${TokenTable.Arn}/index/due"}
QUEUES = [{"Fn::GetAtt": ["RefreshQueue", "Arn"]}, {"Fn::GetAtt": ["RescueQueue", "Arn"]}]
UNPUBLISHED_INDEX = {"Fn::Sub": "${OrderTable.Arn}/index/unpublished"}
EVENT_BUS = {"Fn::GetAtt": ["EventBus", "Arn"]}
PUBLISH_DEAD_LETTERS = {"Fn::GetAtt": ["PublishDeadLetters", "Arn"]}
QUEUE_ACTIONS = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"]

# Settings, by what they are for.
TABLE_SETTINGS = {"TOKEN_TABLE": {"Ref": "TokenTable"}, "TOKEN_KEYS_SECRET": ACCESS_KEYS}
KEEPER_SETTINGS = TABLE_SETTINGS | {"REFRESH_TOKEN_KEYS_SECRET": REFRESH_KEYS, "DUE_SHARDS": {"Ref": "DueShards"}}
REFRESHER_SETTINGS = KEEPER_SETTINGS | {
    "REFRESH_QUEUE_URL": {"Ref": "RefreshQueue"},
    "RESCUE_QUEUE_URL": {"Ref": "RescueQueue"},
    "REFRESH_RATE": {"Ref": "RefreshRatePerSecond"},
}
# The address of the login API, unless the deployment names another.
LOGIN_ADDRESS = {"Fn::Sub": "https://${LoginApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
ISSUER = {"Fn::If": ["HasLoginIssuer", {"Ref": "LoginIssuer"}, LOGIN_ADDRESS]}
NOTIFY_URL = {"Fn::If": ["HasNotifyUrl", {"Ref": "NotifyUrl"}, LOGIN_ADDRESS]}
IDENTITY_SETTINGS = {"IDENTITY_TABLE": {"Ref": "IdentityTable"}, "LOGIN_SECRET": LOGIN, "LOGIN_ISSUER": ISSUER}
PAYMENT_SETTINGS = {"ORDER_TABLE": {"Ref": "OrderTable"}, "EVENT_BUS": {"Ref": "EventBus"}}
# What all functions are given, taken away again.
NOTHING = {"Ref": "AWS::NoValue"}
NOTHING_OF_ALIPAY = {"ALIPAY_CONFIG_SECRET": NOTHING, "ALIPAY_ALLOW_CALLER_KEYS": NOTHING}

ONLY_APPS = {"secrets": [APPS], "rows": [], "identity": [], "orders": [], "beside": [], "settings": {}}
# One list for both kinds of row: a login writes them in one transaction.
KEEPS_TOKENS = {
    "secrets": [APPS, ACCESS_KEYS, REFRESH_KEYS],
    "rows": [(ALL_ACTIONS, ["APP#*", "ANSWER#*"])],
    "identity": [],
    "orders": [],
    "beside": [],
    "settings": KEEPER_SETTINGS,
}
READS_TOKENS = {
    "secrets": [APPS, ACCESS_KEYS],
    "rows": [(["dynamodb:GetItem"], "APP#*")],
    "identity": [],
    "orders": [],
    "beside": [(["lambda:InvokeFunction"], [REFRESHER])],
    "settings": TABLE_SETTINGS | {"REFRESH_FUNCTION": {"Ref": "RefreshTokens"}},
}
REFRESHES_TOKENS = {
    "secrets": [APPS, ACCESS_KEYS, REFRESH_KEYS],
    "rows": [(["dynamodb:GetItem", "dynamodb:UpdateItem"], "APP#*")],
    "identity": [],
    "orders": [],
    "beside": [(["dynamodb:Query"], [DUE_INDEX]), (QUEUE_ACTIONS, QUEUES)],
    "settings": REFRESHER_SETTINGS,
}
ANSWERS_ONCE = {
    "secrets": [APPS, ACCESS_KEYS],
    "rows": [(ALL_ACTIONS, "ANSWER#*")],
    "identity": [],
    "orders": [],
    "beside": [],
    "settings": TABLE_SETTINGS,
}

# Issued, looked at and spent; DynamoDB takes it away when its time is over.
ONE_TIME_ACTIONS = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
# One list for both kinds of row: an account and its aliases are written in one transaction.
FINDS_ACCOUNTS = (["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], ["ACCOUNT#*", "ALIAS#*"])


def logs_in(*rows: tuple[list[str], str]) -> dict:
    """Exchanges a code, keeps the tokens, finds the account, and what else is written of this kind of login."""
    return KEEPS_TOKENS | {
        "secrets": [*KEEPS_TOKENS["secrets"], LOGIN],
        "identity": [FINDS_ACCOUNTS, *rows],
        "settings": KEEPER_SETTINGS | IDENTITY_SETTINGS,
    }


# No keys of tokens and no login document: it logs nobody in.
LINKS_ACCOUNTS = ONLY_APPS | {"identity": [FINDS_ACCOUNTS], "settings": {"IDENTITY_TABLE": {"Ref": "IdentityTable"}}}
MINDS_SESSIONS = {
    "secrets": [LOGIN],
    "rows": [],
    "identity": [
        (["dynamodb:GetItem", "dynamodb:UpdateItem"], "SESSION#*"),
        (ONE_TIME_ACTIONS, "ONCE#SSO-TICKET#*"),
        (["dynamodb:PutItem"], "ONCE#NONCE#*"),
        (["dynamodb:GetItem"], "ACCOUNT#*"),
    ],
    "orders": [],
    "beside": [],
    "settings": IDENTITY_SETTINGS | NOTHING_OF_ALIPAY,
}

PUBLISHES = (["events:PutEvents"], [EVENT_BUS])
TAKES_ORDERS = ONLY_APPS | {
    "orders": [(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], "ORDER#*")],
    "beside": [PUBLISHES],
    "settings": PAYMENT_SETTINGS | {"NOTIFY_URL": NOTIFY_URL},
}
TAKES_NOTICES = ONLY_APPS | {
    "orders": [
        (["dynamodb:GetItem", "dynamodb:UpdateItem"], "ORDER#*"),
        (["dynamodb:PutItem", "dynamodb:UpdateItem"], "MESSAGE#*"),
    ],
    "beside": [PUBLISHES],
    "settings": PAYMENT_SETTINGS,
}
PUBLISHES_WHAT_IS_LEFT = ONLY_APPS | {
    "secrets": [],
    "orders": [(["dynamodb:UpdateItem"], ["ORDER#*", "MESSAGE#*"])],
    "beside": [(["dynamodb:Query"], [UNPUBLISHED_INDEX]), PUBLISHES, (["sqs:SendMessage"], [PUBLISH_DEAD_LETTERS])],
    "settings": PAYMENT_SETTINGS | NOTHING_OF_ALIPAY,
}

# All that each function's role allows, beside its own log group and X-Ray: secrets it reads, the actions on rows of the token
# table, of the identity table and of the order table by the beginning of their key, and those on other things.
POWERS = {
    "app-auth": logs_in((ONE_TIME_ACTIONS, "ONCE#LOGIN-TARGET#*")),
    "app-pay": TAKES_ORDERS,
    "code2session": logs_in(),
    "decrypt": ONLY_APPS,
    "generic-request": READS_TOKENS,
    "get-mini-code": ONLY_APPS,
    "get-temp-mini-code": ONLY_APPS,
    "h5-oauth": logs_in((ONE_TIME_ACTIONS, "ONCE#H5-*")),
    "img-sec-check": ONLY_APPS,
    "isv-auth-link": ONLY_APPS,
    "isv-auth-query": READS_TOKENS,
    "isv-auth-token": KEEPS_TOKENS,
    "launch-link": ONLY_APPS,
    "link-open-ids": LINKS_ACCOUNTS,
    "msg-sec-check": ONLY_APPS,
    "oidc": logs_in((ONE_TIME_ACTIONS, "ONCE#OIDC-*")),
    "pay-notify": TAKES_NOTICES,
    "publish-events": PUBLISHES_WHAT_IS_LEFT,
    "refresh-tokens": REFRESHES_TOKENS,
    "sdk-login": logs_in((["dynamodb:PutItem"], "SESSION#*")),
    "session": MINDS_SESSIONS,
    "subscribe-message-batch-send": ANSWERS_ONCE,
    "subscribe-message-query": ONLY_APPS,
    "subscribe-message-send": ANSWERS_ONCE,
    "user-info": READS_TOKENS,
}

FOLDERS = sorted(manifest.parent.name for manifest in ROOT.glob("functions/*/Cargo.toml"))
# Nobody reaches these over HTTP.
WITHOUT_ROUTE = {"link-open-ids", "publish-events", "refresh-tokens"}
# A schedule calls these.
SCHEDULED = {"publish-events", "refresh-tokens"}
READERS = [folder for folder in FOLDERS if POWERS.get(folder) is READS_TOKENS]


def as_list(value):
    return value if isinstance(value, list) else [value]


def role_of(function: dict) -> dict:
    role_id, attribute = function["Role"]["Fn::GetAtt"]
    assert attribute == "Arn"
    return source()["Resources"][role_id]["Properties"]


def statements(role: dict) -> list[dict]:
    return [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def allowing(action: str) -> list[tuple[str, dict]]:
    """Folder and statement of each role that allows the action."""
    return [
        (folder, statement)
        for folder, function in functions().items()
        for statement in statements(role_of(function))
        if action in as_list(statement["Action"])
    ]


def who_may(action: str) -> list[str]:
    return sorted({folder for folder, _ in allowing(action)})
