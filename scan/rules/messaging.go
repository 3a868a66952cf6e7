package rules

import (
	"bytes"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const (
	slackTokens   = "https://docs.slack.dev/authentication/tokens"
	slackRevoke   = "Revoke it with auth.revoke or by reinstalling the app under OAuth & Permissions, and turn on token rotation."
	discordReset  = "Reset the token on the application's Bot page in the Developer Portal."
	twilioKeys    = "https://www.twilio.com/docs/iam/api-keys"
	twilioPromote = "Request a secondary auth token in the Console, deploy it, and promote it; use API keys in place of the auth token."
)

func slack() []scan.Rule {
	return []scan.Rule{
		issued(scan.Rule{
			ID:        "slack-bot-token",
			Provider:  "slack",
			Title:     "Slack bot token",
			Why:       "It reads and writes the channels, files and users that the app's scopes reach.",
			Fix:       slackRevoke,
			Reference: slackTokens,
			Samples:   shaped("SLACK_BOT_TOKEN", `xoxb-[0-9]{11,13}-[0-9]{11,13}-[0-9A-Za-z]{24}`),
		}, "", `xoxb-[0-9]{9,14}-(?:[0-9]{9,14}-)?[0-9A-Za-z]{18,34}`),
		issued(scan.Rule{
			ID:        "slack-user-token",
			Provider:  "slack",
			Title:     "Slack user token",
			Why:       "It acts as a user: messages, files and channels within the app's scopes.",
			Fix:       slackRevoke,
			Reference: slackTokens,
			Samples:   shaped("SLACK_USER_TOKEN", `xoxp-[0-9]{11,13}-[0-9]{11,13}-[0-9]{11,13}-[0-9a-f]{32}`),
		}, "", `xoxp-(?:[0-9]{8,14}-){2,3}[0-9A-Za-z]{24,64}`),
		issued(scan.Rule{
			ID:        "slack-legacy-token",
			Provider:  "slack",
			Title:     "Slack workspace or legacy token",
			Why:       "It acts as a user or a workspace, mostly with every scope.",
			Fix:       "Revoke it with auth.revoke, and use a granular bot token.",
			Reference: slackTokens,
			Samples:   shaped("SLACK_TOKEN", `xox[ao]-2-[0-9]{11,13}-[0-9]{11,13}-[0-9]{11,13}-[0-9a-f]{32}|xox[rs]-[0-9]{11,13}-[0-9]{11,13}-[0-9a-f]{32}`),
		}, "", `xox[aors]-(?:[0-9]-)?(?:[0-9]{8,14}-){1,3}[0-9A-Za-z]{20,64}`),
		issued(scan.Rule{
			ID:        "slack-rotated-token",
			Provider:  "slack",
			Title:     "Slack rotated or configuration access token",
			Why:       "It acts as the app, or changes the apps' configuration, until it expires within twelve hours.",
			Fix:       "Revoke it with auth.revoke, and the refresh token with it.",
			Reference: "https://docs.slack.dev/authentication/using-token-rotation",
			Samples:   shaped("SLACK_TOKEN", `xoxe\.xox[bp]-1-[0-9A-Za-z]{163}`),
		}, "", `xoxe\.xox[bp]-[0-9]-[0-9A-Za-z]{100,250}`),
		issued(scan.Rule{
			ID:        "slack-refresh-token",
			Provider:  "slack",
			Title:     "Slack refresh token",
			Why:       "With the app's secret it makes new access tokens.",
			Fix:       "Revoke it with auth.revoke, and reinstall the app.",
			Reference: "https://docs.slack.dev/authentication/using-token-rotation",
			Samples:   shaped("SLACK_REFRESH_TOKEN", `xoxe-1-[0-9A-Za-z]{146}`),
		}, "", `xoxe-[0-9]-[0-9A-Za-z]{100,250}`),
		issued(scan.Rule{
			ID:        "slack-session-token",
			Provider:  "slack",
			Title:     "Slack browser session token",
			Why:       "With the session's cookie it acts as the user in everything that Slack offers.",
			Fix:       "Sign out of all other sessions in the account's settings.",
			Reference: slackTokens,
			Samples:   shaped("SLACK_TOKEN", `xoxc-[0-9]{12}-[0-9]{12}-[0-9]{13}-[0-9a-f]{64}`),
		}, "", `xoxc-(?:[0-9]{8,14}-){2,3}[0-9a-f]{40,64}`),
		issued(scan.Rule{
			ID:        "slack-session-cookie",
			Provider:  "slack",
			Title:     "Slack browser session cookie",
			Why:       "It makes session tokens for the user in every workspace that the browser is signed in to.",
			Fix:       "Sign out of all other sessions in the account's settings.",
			Reference: slackTokens,
			Samples:   shaped("SLACK_COOKIE", `xoxd-[0-9A-Za-z]{110}%3D%3D`),
		}, "", `xoxd-[0-9A-Za-z%+/=_-]{60,400}`),
		issued(scan.Rule{
			ID:        "slack-app-token",
			Provider:  "slack",
			Title:     "Slack app-level token",
			Why:       "It receives the app's events from all workspaces over Socket Mode.",
			Fix:       "Revoke it under Basic Information, App-Level Tokens, and generate a new one.",
			Reference: slackTokens,
		}, "SLACK_APP_TOKEN", `xapp-[0-9]-A[0-9A-Z]{8,12}-[0-9]{10,14}-[0-9a-f]{64}`),
		issued(scan.Rule{
			ID:        "slack-workflow-token",
			Provider:  "slack",
			Title:     "Slack workflow token",
			Why:       "It acts as the app while the workflow's step runs.",
			Fix:       "Let it expire with the step, and find out why it was written down.",
			Reference: slackTokens,
			Samples:   shaped("SLACK_WORKFLOW_TOKEN", `xwfp-[0-9]{12}-[0-9]{13}-[0-9A-Za-z]{40}`),
		}, "", `xwfp-(?:[0-9]{6,14}-){1,3}[0-9A-Za-z]{20,100}`),
		webhook(scan.Rule{
			ID:        "slack-webhook",
			Provider:  "slack",
			Title:     "Slack webhook address",
			Why:       "Whoever knows it posts to the channel, or starts the workflow, in the app's name.",
			Fix:       "Remove it under Incoming Webhooks (or the workflow's trigger), and add a new one.",
			Reference: "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
		}, "SLACK_WEBHOOK_URL", `hooks\.slack(?:-gov)?\.com/(?:services/T[0-9A-Z]{8,12}/B[0-9A-Z]{8,12}|(?:workflows|triggers)/[ET][0-9A-Z]{8,12}(?:/A[0-9A-Z]{8,12})?/[0-9]{10,20})/[0-9A-Za-z]{20,64}`),
		called(scan.Rule{
			ID:        "slack-signing-secret",
			Provider:  "slack",
			Title:     "Slack signing secret",
			Why:       "Whoever has it can forge events and commands to the app.",
			Fix:       "Regenerate it under Basic Information, App Credentials.",
			Reference: "https://docs.slack.dev/authentication/verifying-requests-from-slack",
		}, `slack`, `signing_?-?secret`, "SLACK_SIGNING_SECRET", `[0-9a-f]{32}`),
		called(scan.Rule{
			ID:        "slack-client-secret",
			Provider:  "slack",
			Title:     "Slack client secret",
			Why:       "Whoever has it can complete installations in the app's name and renew its tokens.",
			Fix:       "Regenerate it under Basic Information, App Credentials.",
			Reference: "https://docs.slack.dev/authentication/installing-with-oauth",
		}, `slack`, `client_?-?secret|app_?secret|cation_?token`, "SLACK_CLIENT_SECRET", `[0-9a-f]{32}|[0-9A-Za-z]{24}`),
	}
}

func messaging() []scan.Rule {
	return []scan.Rule{
		{
			ID:         "discord-bot-token",
			Provider:   "discord",
			Title:      "Discord bot token",
			Why:        "It acts as the bot in every server that it was added to.",
			Fix:        discordReset,
			Reference:  "https://docs.discord.com/developers/reference",
			Confidence: scan.High,
			// the token has no text of its own: a name or a call must stand before it
			Expr: `(?i:token|discord|login\(|\.run\(|\.start\(|bot )[0-9A-Za-z_.-]{0,24}(?:` + assigned + `|["'` + "`" + `]?\((?:[a-z]{1,12}=)?["'` + "`" + `]|["']|)` +
				`(?P<secret>[MNO][0-9A-Za-z]{23,27}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,38})` + after,
			Check: proof.DiscordToken,
			Samples: func(g *scan.Gen) scan.Samples {
				v := proof.SealDiscord(uint64(100000000000000000+g.IntN(899999999999999999)), g.String(scan.Base62, 6), g.String(scan.Base62, 38))
				failed := "M" + g.String("xyz", 23) + v[24:]
				return scan.Samples{
					Match: append(inAssignments("DISCORD_TOKEN", v), "client.login('"+v+"');\n", "bot.run(\""+v+"\")\n",
						"{\"token\": \""+v+"\"}\n", "\"Authorization\": \"Bot "+v+"\"\n", "client.run(token='"+v+"')\n"),
					Failed:  []string{"DISCORD_TOKEN=" + failed + "\n"},
					NoMatch: []string{"DISCORD_TOKEN=" + v[:30] + "\n", "DISCORD_TOKEN=${TOKEN}\n", "client.login(process.env.TOKEN);\n"},
				}
			},
		},
		webhook(scan.Rule{
			ID:        "discord-webhook",
			Provider:  "discord",
			Title:     "Discord webhook address",
			Why:       "Whoever knows it posts to the channel under any name, and deletes the webhook.",
			Fix:       "Delete the webhook under the channel's Integrations, and create a new one.",
			Reference: "https://docs.discord.com/developers/resources/webhook",
		}, "DISCORD_WEBHOOK_URL", `(?:ptb\.|canary\.)?discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{17,20}/[0-9A-Za-z_-]{60,80}`),
		called(scan.Rule{
			ID:         "discord-client-secret",
			Provider:   "discord",
			Title:      "Discord client secret",
			Why:        "Whoever has it can complete sign-ins in the application's name.",
			Fix:        "Reset the secret on the application's OAuth2 page in the Developer Portal.",
			Reference:  "https://docs.discord.com/developers/topics/oauth2",
			MinEntropy: 3.7,
		}, `discord`, `client_?-?secret|secret`, "DISCORD_CLIENT_SECRET", `[0-9A-Za-z_-]{32}`),
		{
			ID:         "telegram-bot-token",
			Provider:   "telegram",
			Title:      "Telegram bot token",
			Why:        "It acts as the bot: reads what it is sent and writes to its users and groups.",
			Fix:        "Send /revoke to @BotFather, which issues a new token.",
			Reference:  "https://core.telegram.org/bots/api#authorizing-your-bot",
			Confidence: scan.High,
			Expr:       `(?:\b|bot)(?P<secret>[0-9]{8,10}:AA[0-9A-Za-z_-]{33})` + after,
			MinEntropy: 3.5,
			Check:      telegramToken,
			Samples: func(g *scan.Gen) scan.Samples {
				s := shaped("TELEGRAM_BOT_TOKEN", `[1-9][0-9]{9}:AA[0-9A-Za-z]{33}`)(g)
				v := "12" + g.String(scan.Digits, 8) + ":AA" + g.String(scan.Base62, 33)
				s.Match = append(s.Match, "curl https://api.telegram.org/bot"+v+"/getMe\n")
				return s
			},
		},
		webhook(scan.Rule{
			ID:        "teams-webhook",
			Provider:  "microsoft-teams",
			Title:     "Microsoft Teams webhook address",
			Why:       "Whoever knows it posts to the channel in the connector's name.",
			Fix:       "Delete the connector in the channel's settings, and create a workflow in its place.",
			Reference: "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
		}, "TEAMS_WEBHOOK_URL", `(?:[0-9a-z-]{2,60}\.webhook\.office|outlook\.office(?:365)?)\.com/webhook(?:b2)?/`+uuidExpr+`@`+uuidExpr+`/IncomingWebhook/[0-9a-f]{32}/`+uuidExpr+`(?:/[0-9A-Za-z_-]{20,60})?`),
		called(scan.Rule{
			ID:        "twilio-auth-token",
			Provider:  "twilio",
			Title:     "Twilio auth token",
			Why:       "With the account's SID it sends messages and calls at the account's cost, and reads all of them.",
			Fix:       twilioPromote,
			Reference: "https://www.twilio.com/docs/iam/access-tokens",
		}, `twilio`, `token|auth`, "TWILIO_AUTH_TOKEN", `[0-9a-f]{32}`),
		beneath(scan.Rule{
			ID:        "twilio-credentials",
			Provider:  "twilio",
			Title:     "Twilio account SID and auth token",
			Why:       "They send messages and calls at the account's cost, and read all of them.",
			Fix:       twilioPromote,
			Reference: "https://www.twilio.com/docs/iam/access-tokens",
		}, "twilio", `AC[0-9a-f]{32}`, `[0-9a-f]{32}`),
		{
			// the client's constructor, whose import may stand far above
			ID:         "twilio-credentials-client",
			Provider:   "twilio",
			Title:      "Twilio account SID and auth token, in code",
			Why:        "They send messages and calls at the account's cost, and read all of them.",
			Fix:        twilioPromote,
			Reference:  "https://www.twilio.com/docs/iam/access-tokens",
			Confidence: scan.High,
			Expr:       `(?:Client|wilio|wilio\.init|twilio['"]\))\(\s{0,12}["'](?P<id>AC[0-9a-f]{32})["'],\s{0,12}(?:[a-z_]{1,16}\s{0,2}=\s{0,2})?["'](?P<secret>[0-9a-f]{32})["']`,
			Public:     []string{"id"},
			MinEntropy: 2.8,
			Check:      randomAndUnpublished,
			Samples: func(g *scan.Gen) scan.Samples {
				id, v := "AC"+g.Hex(32), g.Hex(32)
				return scan.Samples{
					Match:   []string{"client = Client('" + id + "', '" + v + "')\n", "const c = new Client(\"" + id + "\",\n  \"" + v + "\");\n"},
					NoMatch: []string{"Client('" + id + "', token)\n", "['" + g.Hex(34) + "', '" + v + "']\n"},
				}
			},
		},
		called(scan.Rule{
			ID:         "twilio-api-secret",
			Provider:   "twilio",
			Title:      "Twilio API key secret",
			Why:        "With the key's SID it sends messages and calls at the account's cost.",
			Fix:        "Delete the API key in the Console under API keys & tokens, and create a restricted one.",
			Reference:  twilioKeys,
			MinEntropy: 3.6,
		}, `twilio`, `secret`, "TWILIO_API_SECRET", `[0-9A-Za-z]{32}`),
		beneath(scan.Rule{
			ID:         "twilio-api-key",
			Provider:   "twilio",
			Title:      "Twilio API key and its secret",
			Why:        "They send messages and calls at the account's cost.",
			Fix:        "Delete the API key in the Console under API keys & tokens, and create a restricted one.",
			Reference:  twilioKeys,
			MinEntropy: 3.6,
		}, "twilio", `SK[0-9a-f]{32}`, `[0-9A-Za-z]{32}`),
		called(scan.Rule{
			ID:         "vonage-api-secret",
			Provider:   "vonage",
			Title:      "Vonage API secret",
			Why:        "With the API key it sends messages and calls at the account's cost.",
			Fix:        "Add a second API secret in the account's settings, deploy it, and revoke this one.",
			Reference:  "https://developer.vonage.com/en/account/secret-management",
			MinEntropy: 3,
		}, `vonage|nexmo`, `secret`, "VONAGE_API_SECRET", `[0-9A-Za-z]{16}`),
		called(scan.Rule{
			ID:         "messagebird-key",
			Provider:   "messagebird",
			Title:      "MessageBird (Bird) access key",
			Why:        "It sends messages at the account's cost and reads them.",
			Fix:        "Delete the key under Developers, API access, and add a new one.",
			Reference:  "https://developers.messagebird.com/api/#authentication",
			MinEntropy: 3.5,
		}, `message_?bird`, `key|token`, "MESSAGEBIRD_API_KEY", `[0-9A-Za-z]{25}`),
		issued(scan.Rule{
			ID:        "telnyx-api-key",
			Provider:  "telnyx",
			Title:     "Telnyx API key",
			Why:       "It sends messages and calls at the account's cost, and orders numbers.",
			Fix:       "Delete the key under Keys & Credentials, and create a new one.",
			Reference: "https://developers.telnyx.com/development/authentication",
		}, "TELNYX_API_KEY", `KEY[0-9A-F]{32}_[0-9A-Za-z_-]{22}`),
		called(scan.Rule{
			ID:         "plivo-auth-token",
			Provider:   "plivo",
			Title:      "Plivo auth token",
			Why:        "With the auth id it sends messages and calls at the account's cost.",
			Fix:        "Regenerate the token on the account's page in the console.",
			Reference:  "https://www.plivo.com/docs/messaging/api/overview",
			MinEntropy: 3.7,
		}, `plivo`, `token|secret`, "PLIVO_AUTH_TOKEN", `[0-9A-Za-z]{40}`),
		{
			ID:         "line-channel-token",
			Provider:   "line",
			Title:      "LINE channel access token",
			Why:        "It sends messages as the official account and reads its followers' profiles.",
			Fix:        "Reissue the token on the channel's Messaging API tab, or issue one that expires.",
			Reference:  "https://developers.line.biz/en/docs/basics/channel-access-token/",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>[0-9A-Za-z+/]{140,180}w1cDnyilFU=)` + afterBase64,
			Check:      published,
			Samples: func(g *scan.Gen) scan.Samples {
				v := g.String(scan.Base62, 1) + g.String(scan.Base64Std, 160) + "w1cDnyilFU="
				return scan.Samples{
					Match:   inContexts("LINE_CHANNEL_ACCESS_TOKEN", v),
					NoMatch: []string{"LINE_CHANNEL_ACCESS_TOKEN=" + v[100:] + "\n", "LINE_CHANNEL_ACCESS_TOKEN=${TOKEN}\n"},
				}
			},
		},
		called(scan.Rule{
			ID:        "line-channel-secret",
			Provider:  "line",
			Title:     "LINE channel secret",
			Why:       "Whoever has it can forge webhook events, complete sign-ins and issue access tokens.",
			Fix:       "Issue a new secret on the channel's Basic settings tab.",
			Reference: "https://developers.line.biz/en/docs/basics/channel-access-token/",
		}, `\bline_secr|line[_ -]{0,1}(?:channel|bot|login)|channel[_-]{0,1}secr`, `secret|et`, "LINE_CHANNEL_SECRET", `[0-9a-f]{32}`),
		called(scan.Rule{
			ID:         "mattermost-token",
			Provider:   "mattermost",
			Title:      "Mattermost access token",
			Why:        "It acts as its owner or its bot in every channel that it reaches.",
			Fix:        "Delete it under Profile, Security, Personal access tokens (or on the bot's page), and create a new one.",
			Reference:  "https://developers.mattermost.com/integrate/reference/personal-access-token/",
			MinEntropy: 3.4,
		}, `mattermost`, `token|pat|secret|password`, "MATTERMOST_TOKEN", `[0-9a-z]{26}`),
		called(scan.Rule{
			ID:         "zulip-api-key",
			Provider:   "zulip",
			Title:      "Zulip API key",
			Why:        "It acts as its owner or its bot.",
			Fix:        "Generate a new API key under Settings, Account & privacy (or Bots).",
			Reference:  "https://zulip.com/api/api-keys",
			MinEntropy: 3.6,
		}, `zulip`, `key|token`, "ZULIP_API_KEY", `[0-9A-Za-z]{32}`),
		called(scan.Rule{
			ID:         "webex-access-token",
			Provider:   "webex",
			Title:      "Webex access token",
			Why:        "It acts as its owner or its bot in rooms and meetings.",
			Fix:        "Regenerate the bot's access token on its page under My Webex Apps.",
			Reference:  "https://developer.webex.com/docs/getting-started",
			MinEntropy: 3.6,
		}, `webex`, `token`, "WEBEX_ACCESS_TOKEN", `[0-9A-Za-z]{64}_[0-9A-Za-z]{4}_`+uuidExpr),
		webhook(scan.Rule{
			ID:        "feishu-webhook",
			Provider:  "lark",
			Title:     "Feishu or Lark bot webhook address",
			Why:       "Whoever knows it posts to the group as the bot.",
			Fix:       "Remove the bot from the group, add it again, and turn on signature verification.",
			Reference: "https://open.larksuite.com/document/client-docs/bot-v3/add-custom-bot",
		}, "FEISHU_WEBHOOK", `open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/(?:v2/)?hook/`+uuidExpr),
		webhook(scan.Rule{
			ID:        "dingtalk-webhook",
			Provider:  "dingtalk",
			Title:     "DingTalk robot webhook address",
			Why:       "Whoever knows it posts to the group as the robot.",
			Fix:       "Delete the robot in the group's settings, add a new one, and turn on signing.",
			Reference: "https://open.dingtalk.com/document/orgapp/custom-robot-access",
		}, "DINGTALK_WEBHOOK", `oapi\.dingtalk\.com/robot/send\?access_token=[0-9a-f]{64}`),
		issued(scan.Rule{
			ID:         "dingtalk-secret",
			Provider:   "dingtalk",
			Title:      "DingTalk robot signing secret",
			Why:        "With the webhook address it posts to the group as the robot.",
			Fix:        "Delete the robot in the group's settings, and add a new one.",
			Reference:  "https://open.dingtalk.com/document/robots/customize-robot-security-settings",
			MinEntropy: 3,
		}, "DINGTALK_SECRET", `SEC[0-9a-f]{64}`),
		webhook(scan.Rule{
			ID:        "wecom-webhook",
			Provider:  "wecom",
			Title:     "WeCom robot webhook address",
			Why:       "Whoever knows it posts to the group as the robot.",
			Fix:       "Delete the robot in the group's settings, and add a new one.",
			Reference: "https://developer.work.weixin.qq.com/document/path/91770",
		}, "WECOM_WEBHOOK", `qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=`+uuidExpr),
		webhook(scan.Rule{
			ID:        "google-chat-webhook",
			Provider:  "google",
			Title:     "Google Chat webhook address",
			Why:       "Whoever knows it posts to the space in the webhook's name.",
			Fix:       "Delete the webhook under the space's Apps & integrations, and add a new one.",
			Reference: "https://developers.google.com/workspace/chat/quickstart/webhooks",
		}, "GOOGLE_CHAT_WEBHOOK", `chat\.googleapis\.com/v1/spaces/[0-9A-Za-z_-]{8,14}/messages\?(?:threadKey=[0-9A-Za-z_-]{1,40}&)?key=AIza[0-9A-Za-z_-]{35}&token=[0-9A-Za-z_-]{43}(?:%3D|=)?`),
		webhook(scan.Rule{
			ID:        "zapier-webhook",
			Provider:  "zapier",
			Title:     "Zapier webhook address",
			Why:       "Whoever knows it starts the Zap with any data.",
			Fix:       "Replace the trigger of the Zap, which makes a new address.",
			Reference: "https://help.zapier.com/hc/en-us/articles/8496288690317",
		}, "ZAPIER_WEBHOOK_URL", `hooks\.zapier\.com/hooks/(?:catch|standard)/[0-9]{4,10}/[0-9a-z]{5,40}`),
		webhook(scan.Rule{
			ID:        "make-webhook",
			Provider:  "make",
			Title:     "Make (Integromat) webhook address",
			Why:       "Whoever knows it starts the scenario with any data.",
			Fix:       "Delete the webhook under Webhooks, and create a new one.",
			Reference: "https://www.make.com/en/help/tools/webhooks",
		}, "MAKE_WEBHOOK_URL", `hook\.(?:eu1|eu2|us1|us2|integromat)\.(?:make\.)?com/[0-9a-z]{32}`),
		webhook(scan.Rule{
			ID:        "ifttt-webhook",
			Provider:  "ifttt",
			Title:     "IFTTT webhook address",
			Why:       "Whoever knows it starts the applets of all of the account's events.",
			Fix:       "Edit the connection of the Webhooks service, which makes a new key.",
			Reference: "https://help.ifttt.com/hc/en-us/articles/115010230347",
		}, "IFTTT_URL", `maker\.ifttt\.com/trigger/[0-9A-Za-z_-]{1,40}/(?:json/)?with/key/[0-9A-Za-z_-]{20,60}`),
		called(scan.Rule{
			ID:         "pusher-secret",
			Provider:   "pusher",
			Title:      "Pusher Channels secret",
			Why:        "With the app's key it publishes to every channel and reads who is on it.",
			Fix:        "Create new keys under App Keys, deploy them, and delete these.",
			Reference:  "https://pusher.com/docs/channels/library_auth_reference/rest-api/",
			MinEntropy: 2.3,
		}, `pusher`, `secret`, "PUSHER_APP_SECRET", `[0-9a-f]{20}`),
		issued(scan.Rule{
			ID:        "onesignal-api-key",
			Provider:  "onesignal",
			Title:     "OneSignal API key",
			Why:       "It sends notifications to every subscriber of the app, or manages the organization's apps.",
			Fix:       "Rotate it under Settings, Keys & IDs.",
			Reference: "https://documentation.onesignal.com/docs/keys-and-ids",
			Samples:   shaped("ONESIGNAL_API_KEY", `os_v2_(?:app|org)_[2-7a-z]{103}`),
		}, "", `os_v2_(?:app|org)_[2-7a-z]{80,120}`),
		called(scan.Rule{
			ID:         "onesignal-legacy-key",
			Provider:   "onesignal",
			Title:      "OneSignal API key of the older form",
			Why:        "It sends notifications to every subscriber of the app.",
			Fix:        "Create an app API key under Settings, Keys & IDs, and disable the legacy key.",
			Reference:  "https://documentation.onesignal.com/docs/keys-and-ids",
			MinEntropy: 3.4,
		}, `one_?signal`, `key|auth`, "ONESIGNAL_REST_API_KEY", `[0-9A-Za-z]{48}`),
		issued(scan.Rule{
			ID:        "pubnub-secret-key",
			Provider:  "pubnub",
			Title:     "PubNub secret key",
			Why:       "It grants access to every channel of the keyset and administers it.",
			Fix:       "Add a second secret key to the keyset, deploy it, and revoke this one.",
			Reference: "https://www.pubnub.com/docs/general/basics/set-up-your-account",
			Samples:   shaped("PUBNUB_SECRET_KEY", `sec-c-[0-9A-Za-z]{48}`),
		}, "", `sec-c-(?:[0-9A-Za-z+/]{40,64}={0,2}|`+uuidExpr+`)`),
		called(scan.Rule{
			ID:         "ably-api-key",
			Provider:   "ably",
			Title:      "Ably API key",
			Why:        "It publishes and subscribes within its capabilities, and signs tokens.",
			Fix:        "Revoke it under the app's API Keys, and create one with fewer capabilities.",
			Reference:  "https://ably.com/docs/auth/basic",
			Confidence: scan.High,
			MinEntropy: 3.6,
		}, `\bably_|\bablyapi`, `key|token|secret`, "ABLY_API_KEY", `[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{6}:[0-9A-Za-z_-]{43}`),
		issued(scan.Rule{
			ID:         "ntfy-access-token",
			Provider:   "ntfy",
			Title:      "ntfy access token",
			Why:        "It publishes to and reads the topics of its owner.",
			Fix:        "Delete it on the account's page, and create one that expires.",
			Reference:  "https://docs.ntfy.sh/publish/#access-tokens",
			Confidence: scan.Medium,
			MinEntropy: 3.4,
			Check:      tailRandom,
		}, "NTFY_TOKEN", `tk_[0-9a-z]{29}`),
		called(scan.Rule{
			ID:         "pushover-token",
			Provider:   "pushover",
			Title:      "Pushover application token or user key",
			Why:        "Token and user key together send notifications to the user's devices.",
			Fix:        "Delete the application on its page, and create a new one.",
			Reference:  "https://pushover.net/api",
			MinEntropy: 3.4,
		}, `pushover`, `token|key|user`, "PUSHOVER_TOKEN", `[0-9a-z]{30}`),
		called(scan.Rule{
			ID:         "pushbullet-token",
			Provider:   "pushbullet",
			Title:      "Pushbullet access token",
			Why:        "It reads and sends pushes and messages as its owner.",
			Fix:        "Reset the token under Settings, Account.",
			Reference:  "https://docs.pushbullet.com/#authentication",
			MinEntropy: 3.4,
		}, `push_?bullet`, `token|key`, "PUSHBULLET_TOKEN", `o\.[0-9A-Za-z]{32}`),
	}
}

// telegramToken names the bot by its id, which stands before the colon.
func telegramToken(c scan.Candidate) scan.Evidence {
	ev := published(c)
	if id, _, ok := bytes.Cut(c.Secret(), []byte(":")); ok {
		ev.PublicID = "Telegram bot " + string(id)
	}
	return ev
}
