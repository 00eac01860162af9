"""Robot environments, and the human who demonstrates in them. Importing this package registers the environments."""

import gymnasium

gymnasium.register(id="daml/Reach-v0", entry_point="envs.reaching:ReachEnv")
gymnasium.register(id="daml/Push-v0", entry_point="envs.pushing:PushEnv")
gymnasium.register(id="daml/Place-v0", entry_point="envs.placing:PlaceEnv")
gymnasium.register(id="daml/PickPlace-v0", entry_point="envs.pick_place:PickPlaceEnv")
gymnasium.register(id="daml/Act-v0", entry_point="envs.acting:ActEnv")
