package rules

import (
	"strconv"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const (
	azureIdentifiable = "https://github.com/microsoft/security-utilities"
	azureRotate       = "Regenerate the secondary key, deploy it, then regenerate this one; prefer Microsoft Entra identities."
)

// azureKeyed is the rule of an Azure key with its service's signature: random
// base-64 characters, the signature, six more, and padding.
func azureKeyed(id, title, why, reference, signature string, random int, padding string) scan.Rule {
	return scan.Rule{
		ID:         id,
		Provider:   "azure",
		Title:      title,
		Why:        why,
		Fix:        azureRotate,
		Reference:  reference,
		Confidence: scan.High,
		Expr:       `(?P<secret>[0-9A-Za-z+/]{` + strconv.Itoa(random) + `}(?:` + signature + `)[0-9A-Za-z+/]{6}` + padding + `)` + afterBase64,
		Check:      proof.AzureKey,
		Samples: func(g *scan.Gen) scan.Samples {
			plain := strings.ReplaceAll(strings.Split(signature, "|")[0], `\`, "")
			key := proof.SealAzure(plain, g.Bytes(64))
			name := strings.ToUpper(strings.ReplaceAll(id, "-", "_"))
			return scan.Samples{
				Match: inAssignments(name, key),
				NoMatch: []string{
					name + "=" + key[:len(key)/2] + "\n",
					name + "=" + key + "AB\n",
					name + "=${" + name + "}\n",
				},
			}
		},
	}
}

func azure() []scan.Rule {
	const (
		key32 = `[0-9A-Za-z+/]{43}=`
		key64 = `[0-9A-Za-z+/]{86}==`
	)
	storage := azureKeyed("azure-storage-key", "Azure Storage account key",
		"It reads and writes everything in the storage account, and signs SAS tokens.",
		"https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage", `\+ASt`, 76, "==")
	storage.Samples = withFailed(storage.Samples, func(g *scan.Gen) string {
		return "key = " + g.String(scan.Base62, 76) + "+ASt" + g.String(scan.Base62, 5) + "w==\n"
	})
	return []scan.Rule{
		storage,
		azureKeyed("azure-cosmosdb-key", "Azure Cosmos DB key", "It reads, and mostly writes, every database of the account.",
			"https://learn.microsoft.com/azure/cosmos-db/secure-access-to-data", `ACDb`, 76, "=="),
		azureKeyed("azure-redis-key", "Azure Cache for Redis key", "It reads and writes the whole cache.",
			"https://learn.microsoft.com/azure/azure-cache-for-redis/cache-configure", `AzCa`, 33, "="),
		azureKeyed("azure-messaging-key", "Azure Service Bus, Event Hubs or Relay key", "It sends, listens or manages, as its policy says.",
			"https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas", `\+ASb|\+AEh|\+ARm`, 33, "="),
		azureKeyed("azure-iot-key", "Azure IoT Hub or device key", "It acts as a device, or as a service that commands all devices.",
			"https://learn.microsoft.com/azure/iot-hub/iot-hub-dev-guide-sas", `AIoT`, 33, "="),
		azureKeyed("azure-batch-key", "Azure Batch or Machine Learning key", "It runs jobs at the account's expense and reads their data.",
			"https://learn.microsoft.com/azure/batch/batch-account-create-portal", `\+ABa|\+AMC`, 76, "=="),
		azureKeyed("azure-api-management-key", "Azure API Management key", "It manages the gateway, or reads its configuration repository.",
			"https://learn.microsoft.com/azure/api-management/api-management-subscriptions", `APIM`, 76, "=="),
		azureKeyed("azure-search-key", "Azure AI Search key", "It queries, and an admin key changes, every index of the service.",
			"https://learn.microsoft.com/azure/search/search-security-api-keys", `AzSe`, 42, ""),
		azureKeyed("azure-container-registry-key", "Azure Container Registry password", "It pulls and pushes images.",
			"https://learn.microsoft.com/azure/container-registry/container-registry-authentication", `\+ACR`, 42, ""),
		azureFunctions(),
		{
			ID:         "azure-annotated-key",
			Provider:   "azure",
			Title:      "Azure key of the common annotated form",
			Why:        "It opens the Azure service that its four-letter mark names, Azure OpenAI among them.",
			Fix:        azureRotate,
			Reference:  azureIdentifiable,
			Confidence: scan.High,
			// every mark but AZDO, which has a rule of its own
			Expr:  begin + `(?P<secret>[0-9A-Za-z]{52}JQQJ9[0-9A-Za-z]{19}(?:[0-9B-Za-z][0-9A-Za-z]{3}|A[0-9A-Ya-z][0-9A-Za-z]{2}|AZ[0-9A-CE-Za-z][0-9A-Za-z]|AZD[0-9A-NP-Za-z])[0-9A-Za-z]{4}(?:[0-9A-Za-z]{4}|[0-9A-Za-z]{2}==)?)` + afterBase64,
			Check: proof.AzureCASK,
			Samples: withFailed(sealed("AZURE_OPENAI_API_KEY", func(g *scan.Gen) string {
				return proof.SealCASK(g.String(scan.Base62, 52), g.String(scan.Base62, 12), "AAAB", "ACOG")
			}), func(g *scan.Gen) string {
				return "key: " + g.String(scan.Base62, 52) + "JQQJ99BA" + g.String(scan.Base62, 12) + "AAABACOG0000\n"
			}),
		}, {
			ID:         "azure-devops-pat",
			Provider:   "azure",
			Title:      "Azure DevOps personal access token",
			Why:        "It acts as its owner on code, pipelines and packages within its scopes.",
			Fix:        "Revoke it under User settings, Personal access tokens, and issue one with fewer scopes.",
			Reference:  "https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>[0-9A-Za-z]{52}JQQJ9[0-9A-Za-z]{19}AZDO[0-9A-Za-z]{4})\b`,
			Check:      proof.AzureCASK,
			Samples: sealed("AZURE_DEVOPS_EXT_PAT", func(g *scan.Gen) string {
				return proof.SealCASK(g.String(scan.Base62, 52), g.String(scan.Base62, 12), "AAAA", "AZDO")
			}),
		}, {
			ID:         "azure-devops-pat-legacy",
			Provider:   "azure",
			Title:      "Azure DevOps personal access token of the older form",
			Why:        "It acts as its owner on code, pipelines and packages within its scopes.",
			Fix:        "Revoke it under User settings, Personal access tokens, and issue one with fewer scopes.",
			Reference:  "https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate",
			Confidence: scan.Medium,
			Expr:       named(`azure|devops|\bado_|vsts|vss_|nuget|system_?access`, `token|pat|key|pass|auth|secret`, `[a-z2-7]{52}`),
			MinEntropy: 3.7,
			Check:      devOpsToken,
			Samples: func(g *scan.Gen) scan.Samples {
				s := bound("AZURE_DEVOPS_PAT", `[a-z2-7]{52}`)(g)
				token := proof.SealAzureDevOps(g.Bytes(32))
				s.Match = append(inAssignments("SYSTEM_ACCESSTOKEN", token), "<add key=\"azureToken\" value=\""+token+"\" />\n")
				return s
			},
		}, {
			ID:         "azure-devops-url-pat",
			Provider:   "azure",
			Title:      "Azure DevOps personal access token in a repository's address",
			Why:        "It acts as its owner on code, pipelines and packages within its scopes.",
			Fix:        "Revoke it under User settings, Personal access tokens; use Git Credential Manager in place of addresses.",
			Reference:  "https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate",
			Confidence: scan.High,
			Expr:       `https://(?:[0-9A-Za-z_.%-]{0,40}:)?(?P<secret>[a-z2-7]{52})@(?:[0-9A-Za-z-]{1,40}\.)?(?:pkgs\.)?(?:dev\.azure|visualstudio)\.com`,
			MinEntropy: 3.7,
			Check:      devOpsToken,
			Samples: func(g *scan.Gen) scan.Samples {
				token := proof.SealAzureDevOps(g.Bytes(32))
				return scan.Samples{
					Match: []string{
						"git clone https://robot:" + token + "@dev.azure.com/acme/app/_git/app\n",
						"url = https://" + token + "@acme.visualstudio.com/_git/app\n",
					},
					NoMatch: []string{"git clone https://acme@dev.azure.com/acme/app/_git/app\n"},
				}
			},
		}, {
			ID:         "azure-storage-connection-string",
			Provider:   "azure",
			Title:      "Azure Storage connection string",
			Why:        "It reads and writes everything in the storage account, and signs SAS tokens.",
			Fix:        azureRotate,
			Reference:  "https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
			Confidence: scan.High,
			Expr:       `(?i:AccountName)=(?P<id>[0-9a-z]{3,24}) ?; ?(?i:AccountKey)=(?P<secret>` + key64 + `)` + afterBase64,
			Public:     []string{"id"},
			MinEntropy: 4,
			Check:      proof.AzureKey,
			Samples: func(g *scan.Gen) scan.Samples {
				key := g.String(scan.Base62, 85) + "Q=="
				head := "DefaultEndpointsProtocol=https;AccountName=acme" + g.String(scan.LowerAZ, 6) + ";AccountKey="
				return scan.Samples{
					Match: []string{
						"AZURE_STORAGE=\"" + head + key + ";EndpointSuffix=core.windows.net\"\n",
						"{\"AzureWebJobsStorage\": \"" + head + proof.SealAzure("+ASt", g.Bytes(64)) + "\"}\n",
					},
					NoMatch: []string{head + "${KEY};EndpointSuffix=core.windows.net\n", head + "<key>\n", "UseDevelopmentStorage=true\n"},
				}
			},
		}, {
			ID:         "azure-account-key",
			Provider:   "azure",
			Title:      "Azure account key",
			Why:        "It opens a storage account, a Cosmos DB account or another service of Azure in full.",
			Fix:        azureRotate,
			Reference:  "https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage",
			Confidence: scan.High,
			Expr:       named(`azure|cosmos|documentdb|account[_ -]?k|storage[_ -]?k`, `ey|secret`, key64),
			MinEntropy: 4,
			Check:      azureUnsigned,
			Samples: func(g *scan.Gen) scan.Samples {
				key := g.String(scan.Base62, 85) + "g=="
				return scan.Samples{
					Match: append(inAssignments("AZURE_STORAGE_KEY", key),
						"AccountEndpoint=https://acme.documents.azure.com:443/;AccountKey="+key+";\n",
						"az storage blob list --account-key "+key+"\n"),
					NoMatch: []string{"AZURE_STORAGE_KEY=${KEY}\n", "sha512: " + key + "\n", "\"integrity\": \"sha512-" + key + "\"\n"},
				}
			},
		}, {
			ID:         "azure-shared-access-key",
			Provider:   "azure",
			Title:      "Azure shared access key",
			Why:        "It sends, listens or manages on a Service Bus, Event Hubs, Relay, IoT Hub or Notification Hub, as its policy says.",
			Fix:        azureRotate,
			Reference:  "https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas",
			Confidence: scan.High,
			Expr:       `(?i:SharedAccessKey)` + assigned + `(?P<secret>` + key32 + `)` + afterBase64,
			Partners:   []scan.Partner{{Role: "host", Expr: `\b([0-9A-Za-z-]{2,60}\.(?:servicebus\.windows\.net|azure-devices\.net|servicebus\.chinacloudapi\.cn))`, Within: scan.MaxReach}},
			Public:     []string{"host"},
			MinEntropy: 4,
			Check:      proof.AzureKey,
			Samples: func(g *scan.Gen) scan.Samples {
				key := g.String(scan.Base62, 42) + "g="
				return scan.Samples{
					Match: []string{
						"\"ServiceBus\": \"Endpoint=sb://acme-bus.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=" + key + "\"\n",
						"HostName=acme.azure-devices.net;DeviceId=pump;SharedAccessKey=" + key + "\n",
						"shared_access_key_name = x\nSharedAccessKey: " + key + "\n",
					},
					NoMatch: []string{"SharedAccessKey=<key>\n", "SharedAccessKeyName=" + key + "\n"},
				}
			},
		}, {
			ID:         "azure-service-connection-string",
			Provider:   "azure",
			Title:      "Azure SignalR, Web PubSub, Communication or App Configuration connection string",
			Why:        "It opens the service in full: messages, telephone numbers, or the configuration of applications.",
			Fix:        azureRotate,
			Reference:  "https://learn.microsoft.com/azure/azure-signalr/concept-connection-string",
			Confidence: scan.High,
			Expr:       `(?i:\.service\.signalr\.net|\.webpubsub\.azure\.com|\.communication\.azure\.com|\.azconfig\.io|\.azurefd\.net)/?;(?:Id=(?P<id>[0-9A-Za-z+/:=-]{4,60});)?(?i:AccessKey|Secret)=(?P<secret>[0-9A-Za-z+/]{42,110}={0,2})` + afterBase64,
			Public:     []string{"id"},
			MinEntropy: 4,
			Samples: func(g *scan.Gen) scan.Samples {
				key := g.String(scan.Base62, 42) + "g="
				return scan.Samples{
					Match: []string{
						"SIGNALR=\"Endpoint=https://acme.service.signalr.net;AccessKey=" + key + ";Version=1.0;\"\n",
						"endpoint=https://acme.communication.azure.com/;accesskey=" + g.String(scan.Base62, 85) + "g==\n",
						"Endpoint=https://acme.azconfig.io;Id=abcd-l9-s0:Xy12;Secret=" + key + "\n",
					},
					NoMatch: []string{"Endpoint=https://acme.service.signalr.net;AccessKey=<key>;Version=1.0;\n"},
				}
			},
		}, {
			ID:         "azure-redis-connection-string",
			Provider:   "azure",
			Title:      "Azure Cache for Redis connection string",
			Why:        "It reads and writes the whole cache.",
			Fix:        azureRotate,
			Reference:  "https://learn.microsoft.com/azure/azure-cache-for-redis/cache-configure",
			Confidence: scan.High,
			Expr:       `\.redis\.cache\.windows\.net(?::[0-9]{2,5})?,(?:[0-9A-Za-z]{1,20}=[0-9A-Za-z]{1,20},){0,3}password=(?P<secret>` + key32 + `)` + afterBase64,
			MinEntropy: 4,
			Check:      proof.AzureKey,
			Samples: func(g *scan.Gen) scan.Samples {
				head := "\"Redis\": \"acme.redis.cache.windows.net:6380,password="
				return scan.Samples{
					Match:   []string{head + g.String(scan.Base62, 42) + "g=,ssl=True,abortConnect=False\"\n", head + proof.SealAzure("AzCa", g.Bytes(64)) + ",ssl=True\"\n"},
					NoMatch: []string{head + "<password>,ssl=True\"\n"},
				}
			},
		}, {
			ID:         "azure-sas",
			Provider:   "azure",
			Title:      "Azure shared access signature",
			Why:        "Whoever has the address reads, writes or sends as it permits, until its expiry (se=).",
			Fix:        "Regenerate the key that signed it, or revoke the stored access policy or user delegation key that it names.",
			Reference:  "https://learn.microsoft.com/azure/storage/common/storage-sas-overview",
			Confidence: scan.High,
			Expr:       `[?&;" ]sig=(?P<secret>[0-9A-Za-z%+/]{43,90}(?:%3D|%3d|=))`,
			Partners:   []scan.Partner{{Role: "validity", Expr: `\b((?:se|sv)=20[0-9]{2}-[0-9]{2}-[0-9]{2}|se=[0-9]{10})`, Within: scan.MaxReach, Required: true}},
			Public:     []string{"validity"},
			MinEntropy: 4,
			Check:      looksRandom,
			Samples: func(g *scan.Gen) scan.Samples {
				sig := g.String(scan.Base62, 20) + "%2B" + g.String(scan.Base62, 22) + "%3D"
				return scan.Samples{
					Match: []string{
						"url: https://acme.blob.core.windows.net/backup?sv=2022-11-02&ss=b&srt=sco&sp=rwdl&se=2027-01-01T00:00:00Z&spr=https&sig=" + sig + "\n",
						"SharedAccessSignature sr=acme.servicebus.windows.net&sig=" + sig + "&se=1893456000&skn=root\n",
						"\"?sp=r&st=2024-01-01T00:00:00Z&sv=2022-11-02&sr=c&sig=" + sig + "\"\n",
					},
					NoMatch: []string{
						"https://acme.blob.core.windows.net/backup?sv=2022-11-02&sp=r&sig=REDACTED\n",
						"https://acme.test/?sig=" + sig + "\n",
					},
				}
			},
		}, {
			ID:         "azure-logic-app-url",
			Provider:   "azure",
			Title:      "Azure Logic App or Power Automate trigger address",
			Why:        "Whoever has the address starts the workflow with data of their choice.",
			Fix:        "Regenerate the workflow's access keys in the Logic App's settings and give its callers the new address.",
			Reference:  "https://learn.microsoft.com/azure/logic-apps/logic-apps-securing-a-logic-app",
			Confidence: scan.High,
			Expr:       `/workflows/[0-9a-f]{32}/triggers/[0-9A-Za-z_%-]{1,60}(?:/paths)?/(?:invoke|run)\?[0-9A-Za-z%=&._-]{10,160}sig=(?P<secret>[0-9A-Za-z_-]{43})` + after,
			Samples: func(g *scan.Gen) scan.Samples {
				head := "https://prod-12.westeurope.logic.azure.com:443/workflows/" + g.Hex(32) + "/triggers/manual/paths/invoke?api-version=2016-10-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig="
				return scan.Samples{
					Match:   []string{"hook = \"" + head + g.String(scan.Base62, 43) + "\"\n"},
					NoMatch: []string{"hook = \"" + head + "<sig>\"\n"},
				}
			},
		}, {
			ID:         "azure-function-url-key",
			Provider:   "azure",
			Title:      "Azure Functions key in an address",
			Why:        "Whoever has the address calls the function, or with a host key all functions of the app.",
			Fix:        "Renew the key under the function's or the app's keys, and send it in the x-functions-key header.",
			Reference:  "https://learn.microsoft.com/azure/azure-functions/function-keys-how-to",
			Confidence: scan.High,
			Expr:       `\.azurewebsites\.net/api/[0-9A-Za-z_./{}-]{1,80}\?(?:[0-9A-Za-z_=-]{1,40}&){0,2}code=(?P<secret>[0-9A-Za-z_/+%-]{50,64}(?:==|%3D%3D|%3d%3d))`,
			MinEntropy: 4,
			Check:      looksRandom,
			Samples: func(g *scan.Gen) scan.Samples {
				head := "url: https://acme.azurewebsites.net/api/orders?code="
				return scan.Samples{
					Match:   []string{head + g.String(scan.Base62, 54) + "==\n", head + g.String(scan.Base62, 54) + "%3D%3D&id=1\n"},
					NoMatch: []string{head + "<key>\n", "https://acme.azurewebsites.net/api/orders?code=404\n"},
				}
			},
		}, {
			ID:         "azure-entra-client-secret",
			Provider:   "azure",
			Title:      "Microsoft Entra ID client secret",
			Why:        "With the application's id and tenant it acts as the application, on Azure and Microsoft 365 as its permissions say.",
			Fix:        "Add a new secret or, better, a certificate or federated credential to the app registration, deploy it, and delete this one.",
			Reference:  "https://learn.microsoft.com/entra/identity-platform/how-to-add-credentials",
			Confidence: scan.High,
			Expr:       `(?:^|[^0-9A-Za-z_.~-])(?P<secret>[0-9A-Za-z_.~-]{3}(?:8Q~[0-9A-Za-z_.~-]{34}|7Q~[0-9A-Za-z_.~-]{31}))(?:[^0-9A-Za-z_~-]|$)`,
			Check:      proof.EntraSecret,
			Samples: withFailed(sealed("AZURE_CLIENT_SECRET", func(g *scan.Gen) string {
				return proof.SealEntra(g.String(scan.Base62, 3), g.String(scan.Base62, 31))
			}), func(g *scan.Gen) string {
				return "AZURE_CLIENT_SECRET=" + g.String(scan.Base62, 3) + "8Q~" + g.String(scan.Base62, 31) + "zz9\n"
			}),
		}, {
			ID:         "azure-entra-client-secret-legacy",
			Provider:   "azure",
			Title:      "Microsoft Entra ID client secret of the older form",
			Why:        "With the application's id and tenant it acts as the application, on Azure and Microsoft 365 as its permissions say.",
			Fix:        "Add a new secret or, better, a certificate or federated credential to the app registration, deploy it, and delete this one.",
			Reference:  "https://learn.microsoft.com/entra/identity-platform/how-to-add-credentials",
			Confidence: scan.Medium,
			Expr:       named(`azure|arm_client|entra_|aad_|msal|microsoft_`, `_secret|client_?secret|app_?secret|client_?key|app_?password`, `[0-9A-Za-z_.~:@?/+*-]{31,43}=?`),
			MinEntropy: 3.7,
			Check: func(c scan.Candidate) scan.Evidence {
				// the secret's id, or a secret of the newer form
				if s := c.Secret(); proof.UUID(s) || string(s[4:6]) == "Q~" {
					return scan.Rejected
				}
				return looksRandom(c)
			},
			Samples: func(g *scan.Gen) scan.Samples {
				s := bound("AZURE_CLIENT_SECRET", `[0-9A-Za-z]{34}`)(g)
				s.NoMatch = append(s.NoMatch, "AZURE_CLIENT_SECRET="+g.UUID()+"\n")
				return s
			},
		}, {
			ID:         "azure-cognitive-key",
			Provider:   "azure",
			Title:      "Azure OpenAI, AI services, Maps or API Management subscription key",
			Why:        "It calls the service at the subscription's expense.",
			Fix:        azureRotate,
			Reference:  "https://learn.microsoft.com/azure/ai-services/rotate-keys",
			Confidence: scan.Medium,
			Expr:       named(`azure|ocp-apim|cognitive|luis_|speech|bing_|text_?analytics|computer_?vision|face_api`, `key|secret`, `[0-9a-f]{32}`),
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				s := bound("AZURE_OPENAI_KEY", `[0-9a-f]{32}`)(g)
				s.Match = append(s.Match, "curl -H 'Ocp-Apim-Subscription-Key: "+g.Hex(32)+"' https://api.test\n")
				return s
			},
		}, {
			ID:         "azure-publish-profile",
			Provider:   "azure",
			Title:      "Azure App Service publishing password",
			Why:        "It deploys code to the web app, and reads its files and settings.",
			Fix:        "Reset the publish profile on the app's overview page, or disable basic authentication.",
			Reference:  "https://learn.microsoft.com/azure/app-service/deploy-configure-credentials",
			Confidence: scan.High,
			Expr:       `userPWD=\\?"(?P<secret>[0-9A-Za-z]{60})\\?"`,
			MinEntropy: 4,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"<publishProfile publishUrl=\"acme.scm.azurewebsites.net:443\" userName=\"$acme\" userPWD=\"" + g.String(scan.Base62, 60) + "\" />\n"},
					NoMatch: []string{"<publishProfile userPWD=\"\" />\n", "userPWD=\"" + g.String(scan.Base62, 20) + "\"\n"},
				}
			},
		},
	}
}

// azureFunctions is the rule of Azure Functions keys, in base 64 for addresses.
func azureFunctions() scan.Rule {
	r := azureKeyed("azure-functions-key", "Azure Functions key", "It calls the function, or with a host key all functions of the app.",
		"https://learn.microsoft.com/azure/azure-functions/function-keys-how-to", "AzFu", 44, "==")
	r.Expr = `(?P<secret>[0-9A-Za-z_-]{44}AzFu[0-9A-Za-z_-]{6}==)` + afterBase64
	samples := r.Samples
	r.Samples = func(g *scan.Gen) scan.Samples {
		s := samples(g)
		for i := range s.Match {
			s.Match[i] = strings.NewReplacer("+", "-", "/", "_").Replace(s.Match[i])
		}
		return s
	}
	return r
}

// azureUnsigned leaves keys that carry a service's signature to their own rules.
func azureUnsigned(c scan.Candidate) scan.Evidence {
	ev := proof.AzureKey(c)
	if ev.Proof != scan.Unproved {
		return scan.Rejected
	}
	return ev
}

// devOpsToken judges a legacy Azure DevOps token, by its checksum or its look.
func devOpsToken(c scan.Candidate) scan.Evidence {
	if ev := proof.AzureDevOpsPAT(c); ev.Proof == scan.Proved {
		return ev
	}
	return looksRandom(c)
}

// withFailed adds a text whose proof fails to samples.
func withFailed(samples func(*scan.Gen) scan.Samples, text func(*scan.Gen) string) func(*scan.Gen) scan.Samples {
	return func(g *scan.Gen) scan.Samples {
		s := samples(g)
		s.Failed = append(s.Failed, text(g))
		return s
	}
}
