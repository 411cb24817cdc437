"""The words of the grammar for things, places and qualities; see lexicon.py for how a table is read."""

from __future__ import annotations

from data.lexicon import adjectives, named, nouns, plain, without

OBJECTS = nouns("""
    book|libro|m; letter|carta|f; key|llave|f; pencil|lápiz|m; notebook|cuaderno|m; phone|teléfono|m
    bag|bolsa|f; box|caja|f; cup|taza|f; plate|plato|m; knife|cuchillo|m; spoon|cuchara|f
    bottle|botella|f; umbrella|paraguas|m; newspaper|periódico|m; ticket|billete|m; map|mapa|m
    camera|cámara|f; towel|toalla|f; ball|pelota|f; toy|juguete|m; suitcase|maleta|f
    wallet|cartera|f; photo|foto|f; ring|anillo|m; basket|cesta|f; blanket|manta|f; candle|vela|f
    brush|cepillo|m; envelope|sobre|m
""")
FURNITURE = nouns("""
    table|mesa|f; chair|silla|f; bed|cama|f; sofa|sofá|m; desk|escritorio|m; lamp|lámpara|f
    mirror|espejo|m; shelf|estante|m; clock|reloj|m; carpet|alfombra|f; wardrobe|armario|m
    oven|horno|m; computer|ordenador|m; television|televisor|m; piano|piano|m; guitar|guitarra|f
    bicycle|bicicleta|f; car|coche|m; door|puerta|f; curtain|cortina|f; pillow|almohada|f
    radio|radio|f; fridge|nevera|f
""")
SURFACES = nouns("""
    table|mesa|f; chair|silla|f; bed|cama|f; sofa|sofá|m; desk|escritorio|m; shelf|estante|m
    piano|piano|m; bookcase|estantería|f; wardrobe|armario|m; fridge|nevera|f
""")
CLOTHES = nouns("""
    shirt|camisa|f; hat|sombrero|m; coat|abrigo|m; skirt|falda|f; dress|vestido|m; jacket|chaqueta|f
    sweater|suéter|m; tie|corbata|f; scarf|bufanda|f; belt|cinturón|m; cap|gorra|f
    uniform|uniforme|m
""")
WORN_BY_ALL = without(CLOTHES, "skirt; dress; tie")
THINGS = [*OBJECTS, *FURNITURE, *CLOTHES]
PORTABLE = [*OBJECTS, *CLOTHES]
GOODS = without(THINGS, "letter; photo; ticket; door; key; wardrobe; newspaper; map")
COLORED = without(PORTABLE, "photo; letter; newspaper; knife; map; ticket; spoon; envelope; mirror")
LOSABLE = without(
    PORTABLE,
    "skirt; dress; plate; knife; spoon; candle; box; bottle; blanket; cup; brush; basket; newspaper; envelope",
)

ROOMS = nouns("""
    kitchen|cocina|f; living room|salón|m; bathroom|baño|m; bedroom|dormitorio|m; garden|jardín|m
    garage|garaje|m; office|oficina|f; dining room|comedor|m; classroom|aula|f; basement|sótano|m
""")
PLACES = nouns("""
    market|mercado|m; station|estación|f; beach|playa|f; library|biblioteca|f; museum|museo|m
    church|iglesia|f; park|parque|m; hospital|hospital|m; bank|banco|m; school|escuela|f
    university|universidad|f; hotel|hotel|m; airport|aeropuerto|m; theater|teatro|m
    restaurant|restaurante|m; pharmacy|farmacia|f; bakery|panadería|f; supermarket|supermercado|m
    town hall|ayuntamiento|m; store|tienda|f; bridge|puente|m; square|plaza|f; factory|fábrica|f
    farm|granja|f; zoo|zoológico|m; stadium|estadio|m; port|puerto|m
""")
OPEN_PLACES = named(
    PLACES,
    "market; library; museum; bank; school; theater; restaurant; pharmacy; bakery; "
    "supermarket; town hall; zoo; stadium; factory; university; church",
)

FOODS = nouns("""
    bread|pan|m; rice|arroz|m; cheese|queso|m; soup|sopa|f; meat|carne|f; fish|pescado|m
    salad|ensalada|f; chicken|pollo|m; cake|pastel|m; chocolate|chocolate|m; ice cream|helado|m
    ham|jamón|m; honey|miel|f; butter|mantequilla|f; jam|mermelada|f; pasta|pasta|f; fruit|fruta|f
    yogurt|yogur|m
""")
DRINKS = nouns("""
    water|agua|f; milk|leche|f; coffee|café|m; tea|té|m; wine|vino|m; beer|cerveza|f
    orange juice|zumo de naranja|m; lemonade|limonada|f; hot chocolate|chocolate caliente|m
""")
SIDES = nouns("""
    sugar|azúcar|m; milk|leche|f; lemon|limón|m; ice|hielo|m; honey|miel|f
""")
DISH_SIDES = nouns("""
    salt|sal|f; pepper|pimienta|f; cheese|queso|m; oil|aceite|m; garlic|ajo|m; onion|cebolla|f
    bread|pan|m; butter|mantequilla|f; sauce|salsa|f
""")
DISHES = nouns("""
    soup|sopa|f; salad|ensalada|f; rice|arroz|m; chicken|pollo|m; fish|pescado|m; pasta|pasta|f
    meat|carne|f; bread|pan|m; coffee|café|m; tea|té|m; milk|leche|f; pizza|pizza|f; fruit|fruta|f
    water|agua|f; cake|pastel|m
""")
PRODUCE = nouns("""
    apple|manzana|f; orange|naranja|f; banana|plátano|m; pear|pera|f; tomato|tomate|m
    onion|cebolla|f; potato|patata|f; carrot|zanahoria|f; egg|huevo|m; lemon|limón|m
    strawberry|fresa|f; peach|melocotón|m; cherry|cereza|f; mushroom|seta|f; grape|uva|f
    olive|aceituna|f; nut|nuez|f; cookie|galleta|f
""")
ANIMALS = nouns("""
    dog|perro|m; cat|gato|m; horse|caballo|m; cow|vaca|f; sheep|oveja|f; rabbit|conejo|m
    bird|pájaro|m; lion|león|m; elephant|elefante|m; tiger|tigre|m; monkey|mono|m; bear|oso|m
    wolf|lobo|m; fox|zorro|m; turtle|tortuga|f; frog|rana|f; duck|pato|m; hen|gallina|f
    mouse|ratón|m; snake|serpiente|f; butterfly|mariposa|f; bee|abeja|f; spider|araña|f
    whale|ballena|f; eagle|águila|f
""")
NATURE = nouns("""
    mountain|montaña|f; river|río|m; forest|bosque|m; island|isla|f; lake|lago|m; valley|valle|m
    beach|playa|f; desert|desierto|m; village|pueblo|m; city|ciudad|f; street|calle|f
    garden|jardín|m
""")
COUNTED_PEOPLE = nouns("""
    student|estudiante|m; child|niño|m; man|hombre|m; woman|mujer|f; tourist|turista|m
    nurse|enfermera|f; police officer|policía|m; cook|cocinero|m; waiter|camarero|m
    driver|conductor|m; painter|pintor|m; soldier|soldado|m; girl|niña|f; boy|chico|m
""")
BODY = nouns("""
    head|cabeza|f; back|espalda|f; throat|garganta|f; stomach|estómago|m; leg|pierna|f
    knee|rodilla|f; arm|brazo|m; foot|pie|m; hand|mano|f; tooth|muela|f; ear|oído|m; neck|cuello|m
    shoulder|hombro|m
""")

CITIES = plain("""
    Madrid|Madrid; Barcelona|Barcelona; Lima|Lima; Bogotá|Bogotá; Mexico City|la Ciudad de México
    London|Londres; Paris|París; Rome|Roma; Lisbon|Lisboa; New York|Nueva York; Seville|Sevilla
    Havana|La Habana; Berlin|Berlín; Buenos Aires|Buenos Aires; the capital|la capital
""")
COUNTRIES = plain("""
    Spain|España; Mexico|México; Peru|Perú; Argentina|Argentina; Chile|Chile; Colombia|Colombia
    Germany|Alemania; France|Francia; Italy|Italia; Portugal|Portugal; Japan|Japón; China|China
    Canada|Canadá; the United States|Estados Unidos; Brazil|Brasil; Ireland|Irlanda; Cuba|Cuba
""")
LANGUAGES = plain("""
    Spanish|español; English|inglés; French|francés; German|alemán; Italian|italiano
    Portuguese|portugués; Japanese|japonés; Chinese|chino; Russian|ruso; Arabic|árabe
""")
TRANSPORT = plain("""
    by train|en tren; by bus|en autobús; by car|en coche; by taxi|en taxi; by bicycle|en bicicleta
    on foot|a pie; by subway|en metro; by motorcycle|en moto
""")
CITY_TRANSPORT = without(TRANSPORT, "by train; by motorcycle")

COLORS = adjectives("""
    red|rojo; blue|azul; green|verde; yellow|amarillo; white|blanco; black|negro; gray|gris
    purple|morado
""")
QUALITIES = adjectives("""
    big|grande|bigger; small|pequeño|smaller; new|nuevo|newer; old|viejo|older; cheap|barato|cheaper
    expensive|caro; heavy|pesado|heavier; light|ligero|lighter; useful|útil; beautiful|bonito
    ugly|feo|uglier; modern|moderno; strange|raro|stranger; elegant|elegante
    simple|sencillo|simpler; practical|práctico
""")
SHOP_QUALITIES = without(QUALITIES, "ugly; strange; old; useful")
CONDITIONS = adjectives("""
    dirty|sucio; clean|limpio; broken|roto; wet|mojado; dry|seco; empty|vacío
""")
DISH_STATES = adjectives("""
    cold|frío; hot|caliente; delicious|delicioso; ready|listo
""")
CHARACTERS = adjectives("""
    friendly|simpático|friendlier; kind|amable|kinder; tall|alto|taller; strong|fuerte|stronger
    intelligent|inteligente; shy|tímido|shyer; lazy|perezoso|lazier; polite|educado
    patient|paciente; generous|generoso; serious|serio; brave|valiente|braver; young|joven|younger
    hard-working|trabajador; funny|gracioso|funnier; quiet|callado|quieter; honest|honrado
    curious|curioso; thin|delgado|thinner; stubborn|terco; optimistic|optimista
""")
FEELINGS = adjectives("""
    tired|cansado; happy|contento; sad|triste; nervous|nervioso; worried|preocupado; angry|enfadado
    sick|enfermo; bored|aburrido; busy|ocupado; surprised|sorprendido; calm|tranquilo
    excited|emocionado; confused|confundido; disappointed|decepcionado
""")
ANIMAL_TRAITS = adjectives("""
    fast|rápido|faster; strong|fuerte|stronger; big|grande|bigger; small|pequeño|smaller
    dangerous|peligroso; intelligent|inteligente; slow|lento|slower; curious|curioso
""")
PLACE_TRAITS = adjectives("""
    beautiful|bonito; quiet|tranquilo|quieter; famous|famoso; dangerous|peligroso; old|antiguo|older
    interesting|interesante; pleasant|agradable
""")
PROFESSIONS = adjectives("""
    teacher|profesor; doctor|médico; lawyer|abogado; engineer|ingeniero; architect|arquitecto
    cook|cocinero; waiter|camarero; nurse|enfermero; writer|escritor; painter|pintor
    journalist|periodista; dentist|dentista; mechanic|mecánico; baker|panadero; firefighter|bombero
    scientist|científico; singer|cantante; farmer|agricultor; translator|traductor
""")
NEEDS = plain("""
    very hungry|mucha hambre; very thirsty|mucha sed; very cold|mucho frío; very hot|mucho calor
    very sleepy|mucho sueño; very afraid|mucho miedo; in a great hurry|mucha prisa
    very lucky|mucha suerte
""")
